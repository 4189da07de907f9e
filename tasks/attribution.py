"""Tasks of the attribution column."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, get, stage
from tribute.config import RunConfig
from tribute.pipeline import measuring, results
from tribute.workspace import Workspace


@stage(name="propose measurements")
def propose(workspace: str, config: RunConfig, dataset: str, adapters: list[str], measured: list[Any]) -> list[Any]:
    """What to measure next, given what was measured (pairs of work and id); empty when it is enough."""
    return measuring.next_work(_run(workspace, config, dataset, adapters), measured)


@stage(task_run_name="{work}")
def measure(workspace: str, config: RunConfig, dataset: str, adapters: list[str], work: Any) -> State[Any]:
    """Make one measurement; returns the artifact's id."""
    return ended(measuring.measure(_run(workspace, config, dataset, adapters), work))


@stage(name="combine measurements")
def combine(workspace: str, config: RunConfig, dataset: str, adapters: list[str], measured: list[Any]) -> State[Any]:
    """Scores, shares, effects and the card; returns the attribution's id."""
    run = _run(workspace, config, dataset, adapters)
    return ended(results.combine(run, measuring.measurements_of(run, measured)))


def _run(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> Any:
    [data], trained = get(workspace, "dataset", dataset), get(workspace, "adapter", *adapters)
    return measuring.open_run(Workspace.open_at(workspace), config, data, trained)
