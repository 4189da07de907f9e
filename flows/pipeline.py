"""Runs all stages in order: contributions, fine-tuning, attribution, rewards."""

from prefect import flow

from flows import attribution as attributing
from flows import finetuning as learning
from flows.contributions import contributions
from flows.rewards import rewards
from flows.runner import part_of_run
from tasks.parameters import CONFIG_FILE, TRACKED, begin, titled
from tasks.rewards import begin_run, report
from tribute.config import RunConfig


@flow(name="pipeline", flow_run_name=titled(""), **TRACKED)
def pipeline(workspace: str = "", config: RunConfig | None = None, config_file: str = CONFIG_FILE) -> str:
    """One run from contributions to rewards, where it has any; returns its id.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        config: The settings, in place of the file's.
        config_file: The run's YAML file; a relative path starts at the worker's checkout.
    """
    home, settings = begin(workspace, config, config_file)
    begun = begin_run(settings)
    dataset = contributions(home, settings)
    learned = learning.run(home, settings, dataset)
    credited = attributing.run(home, settings, dataset, learned["adapters"])
    paid = rewards(home, settings, dataset, learned["adapters"], credited["attribution"])
    made = {"dataset": dataset, "rewards": paid} | learned | credited
    return report(home, settings, made, begun)


run = part_of_run(pipeline)
"""The flow without a heartbeat, for a command that waits for it."""
