"""Drafts a period: pays its pool by the shares and the policy."""

from prefect import flow

from tasks.rewards import pay
from tribute.config import RunConfig


@flow(name="rewards", flow_run_name="pay {config.rewards.period}")
def rewards(workspace: str, config: RunConfig, dataset: str, adapters: list[str], attribution: str) -> str:
    """Returns the id of the period's manifest."""
    return pay(workspace, config, dataset, adapters, attribution)
