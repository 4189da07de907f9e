"""Drafts a period: pays its pool by the shares and the policy."""

from prefect import flow

from flows.runner import part_of_run
from tasks.outcome import id_of
from tasks.parameters import paid_period
from tasks.rewards import pay
from tribute.config import RunConfig


@part_of_run
@flow(name="rewards", flow_run_name=paid_period)
def rewards(workspace: str, config: RunConfig, dataset: str, adapters: list[str], attribution: str) -> str | None:
    """Returns the id of the period's manifest; None where the config has no rewards."""
    return id_of(pay(workspace, config, dataset, adapters, attribution))
