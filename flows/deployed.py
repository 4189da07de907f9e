"""The parts of a run that are scheduled and started separately: see prefect.yaml."""

from typing import Any

from prefect import flow

from flows import attribution as attributing
from flows import finetuning as learning
from flows.contributions import contributions
from flows.release_check import checking
from flows.rewards import rewards
from flows.runner import with_runner
from flows.services import usage
from tasks.approval import wait_for_approval
from tasks.attribution import find_attribution, show_shares
from tasks.contributions import find_dataset
from tasks.finetuning import find_adapters
from tasks.parameters import CONFIG_FILE, TRACKED, begin, explained_month, month_of, open_workspace, titled
from tasks.rewards import show_period
from tribute.config import ExecutionConfig, RunConfig

HERE = ExecutionConfig()


@flow(name="finetune", flow_run_name=titled("fine-tune"), **TRACKED)
def finetune(
    workspace: str = "", config: RunConfig | None = None, config_file: str = CONFIG_FILE, dataset: str = ""
) -> dict[str, Any]:
    """Train every seed on the config's dataset version; returns the ids of what was made.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        config: The settings, in place of the file's.
        config_file: The run's YAML file; a relative path starts at the worker's checkout.
        dataset: A released version, NAME@vX.Y.Z, to learn from in place of the config's; empty: the config's.
    """
    home, settings = begin(workspace, config, config_file, tag=dataset)
    built = contributions(home, settings)
    return {"dataset": built} | learning.run(home, settings, built)


@flow(name="attribute", flow_run_name=titled("attribute"), **TRACKED)
def attribute(
    workspace: str = "", config: RunConfig | None = None, config_file: str = CONFIG_FILE, dataset: str = ""
) -> dict[str, Any]:
    """Divide the improvement of adapters that are trained already; returns the attribution's id.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        config: The settings, in place of the file's.
        config_file: The run's YAML file; a relative path starts at the worker's checkout.
        dataset: A released version, NAME@vX.Y.Z, to learn from in place of the config's; empty: the config's.
    """
    home, settings = begin(workspace, config, config_file, tag=dataset)
    built = find_dataset(home, settings.dataset.tag, settings.finetuning.base)
    return attributing.run(home, settings, built, find_adapters(home, settings, built))


@flow(name="pay-period", flow_run_name=titled("pay"), persist_result=True)
def pay_period(
    workspace: str = "", config: RunConfig | None = None, config_file: str = CONFIG_FILE, period: str = ""
) -> str:
    """Wait for a person's approval, then draft a period from an attribution that was made; returns the manifest's id.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        config: The settings, in place of the file's.
        config_file: The run's YAML file; a relative path starts at the worker's checkout.
        period: The month, YYYY-MM, or `last` for the one before the run's scheduled start; empty: the config's.
    """
    home, settings = begin(workspace, config, config_file, period)
    dataset = find_dataset(home, settings.dataset.tag, settings.finetuning.base)
    adapters = find_adapters(home, settings, dataset)
    attribution = find_attribution(home, settings, dataset, adapters)
    shown = show_shares(home, settings, dataset, adapters, attribution)
    wait_for_approval(home, settings, attribution, shown)
    paid = rewards(home, settings, dataset, adapters, attribution)
    show_period(home, settings)
    return paid


@flow(name="explain-usage", flow_run_name=explained_month)
def explain_usage(
    workspace: str = "", month: str = "last", budget: int | None = None, execution: ExecutionConfig = HERE
) -> str | None:
    """Explain a month's paid answers and seal the month, for a config whose pool is `{from: usage}` to pay it.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        month: The month, YYYY-MM, or `last` for the one before the run's scheduled start.
        budget: About how many answers to explain, drawn in proportion to price; empty: all.
        execution: The engine that batches of answers are explained on, and how many at a time.
    """
    home = open_workspace(workspace, execution)
    return with_runner(usage, execution)(home, month_of(month), budget)


@flow(name="release-check", flow_run_name="release check")
def release_check(workspace: str = "", execution: ExecutionConfig = HERE) -> list[str]:
    """Verify the registry, and show what waits for a release or a review; returns the datasets to release.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        execution: The engine that datasets are screened on, and how many at a time.
    """
    return with_runner(checking, execution)(open_workspace(workspace, execution))
