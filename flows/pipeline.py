"""Runs all stages in order: contributions, fine-tuning, attribution, rewards."""

from datetime import UTC, datetime

from prefect import flow

from flows import attribution as attributing
from flows import finetuning as learning
from flows.contributions import contributions
from flows.rewards import rewards
from tasks.rewards import report
from tribute.config import RunConfig


@flow(name="pipeline")
def pipeline(workspace: str, config: RunConfig) -> str:
    """One run from contributions to rewards; returns its id."""
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    dataset = contributions(workspace, config.dataset, config.finetuning.base)
    learned = learning.run(workspace, config, dataset)
    credited = attributing.run(workspace, config, dataset, learned["adapters"])
    paid = rewards(workspace, config, dataset, learned["adapters"], credited["attribution"])
    made = {"dataset": dataset, "rewards": paid} | learned | credited
    return report(workspace, config, made, started)
