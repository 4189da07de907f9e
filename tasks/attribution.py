"""Tasks of the attribution column."""

from typing import Any

from prefect.states import State

from tasks.limits import on_device
from tasks.outcome import ended, get, stage
from tasks.pages import publish
from tasks.watching import watched
from tribute.config import RunConfig
from tribute.pipeline.planning.full_memory import compared_with_plan
from tribute.pipeline.runs import summary
from tribute.pipeline.stages import measuring, tracked
from tribute.workspace import Workspace


@stage(task_run_name="propose measurements")
def propose(workspace: str, config: RunConfig, dataset: str, adapters: list[str], measured: list[Any]) -> list[Any]:
    """What to measure next, given what was measured (pairs of work and id); empty when it is enough."""
    return measuring.next_work(_run(workspace, config, dataset, adapters), measured)


@stage(task_run_name="{work}")
def measure(workspace: str, config: RunConfig, dataset: str, adapters: list[str], work: Any) -> State[Any]:
    """Make one measurement; returns the artifact's id."""
    run = _run(workspace, config, dataset, adapters)
    with watched(), on_device(config), compared_with_plan(config, run.dataset):
        return ended(measuring.measure(run, work))


@stage(task_run_name="combine measurements")
def combine(workspace: str, config: RunConfig, dataset: str, adapters: list[str], measured: list[Any]) -> State[Any]:
    """Scores, shares, effects and the card; returns the attribution's id."""
    run = _run(workspace, config, dataset, adapters)
    attribution = measuring.combine(run, measuring.measurements_of(run, measured))
    tracked.track_attribution(Workspace.open_at(workspace), config, run.dataset, attribution)
    publish(f"attribution-{config.run}", summary.attribution_page(config, run.adapters, attribution))
    return ended(attribution)


@stage(task_run_name="find attribution")
def find_attribution(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> str:
    """The id of the attribution that was made of these adapters; fails where there is none."""
    return measuring.find_attribution(_run(workspace, config, dataset, adapters)).id


@stage(task_run_name="show shares")
def show_shares(workspace: str, config: RunConfig, dataset: str, adapters: list[str], attribution: str) -> str:
    """The shares that a period would be paid by, on Prefect's page; returns the page's key."""
    run, [shares] = _run(workspace, config, dataset, adapters), get(workspace, "attribution", attribution)
    return publish(f"shares-{config.id}", summary.attribution_page(config, run.adapters, shares))


def _run(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> Any:
    [data], trained = get(workspace, "dataset", dataset), get(workspace, "adapter", *adapters)
    return measuring.open_run(Workspace.open_at(workspace), config, data, trained)
