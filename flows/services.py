"""Explains a month's paid answers, seals its usage, and drafts the period that it pays."""

from prefect import flow

from flows.rewards import rewards
from flows.runner import ThreadRunner, with_runner
from tasks.attribution import find_attribution
from tasks.contributions import find_dataset
from tasks.finetuning import find_adapters
from tasks.outcome import id_of
from tasks.parameters import CONFIG_FILE, begin, paid_month, titled
from tasks.services import add_addenda, explain, find_answers, seal
from tribute.config import RunConfig


@flow(name="usage", flow_run_name="explain and seal {month}", task_runner=ThreadRunner(max_workers=2))
def usage(workspace: str, month: str, budget: int | None = None) -> str | None:
    """Explain what waits of a month that is over, and seal it; returns its folder, None where nothing is served."""
    futures = [explain.submit(workspace, batch) for batch in find_answers(workspace, month, budget)]
    add_addenda(workspace, [future.result() for future in futures])
    return id_of(seal(workspace, month))


@flow(name="services", flow_run_name=titled("usage and pay"))
def services(
    workspace: str = "",
    config: RunConfig | None = None,
    config_file: str = CONFIG_FILE,
    period: str = "",
    budget: int | None = None,
) -> str | None:
    """Explain, seal and pay a month's usage, by a config whose pool is `{from: usage}`; returns the manifest's id.

    Args:
        workspace: The workspace's folder on the worker; empty: what TRIBUTE_WORKSPACE names there.
        config: The settings, in place of the file's.
        config_file: The run's YAML file; a relative path starts at the worker's checkout.
        period: The month, YYYY-MM, or `last` for the one before the run's scheduled start; empty: the config's.
        budget: About how many answers to explain, drawn in proportion to price; empty: all.
    """
    home, settings = begin(workspace, config, config_file, period)
    with_runner(usage, settings.execution)(home, paid_month(settings), budget)
    dataset = find_dataset(home, settings.dataset.tag, settings.finetuning.base)
    adapters = find_adapters(home, settings, dataset)
    return rewards(home, settings, dataset, adapters, find_attribution(home, settings, dataset, adapters))
