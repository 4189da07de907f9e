"""Tasks of the rewards and report columns."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, get, stage
from tribute.config import RunConfig
from tribute.pipeline import results
from tribute.workspace import Workspace


@stage(name="pay the pool")
def pay(workspace: str, config: RunConfig, dataset: str, adapters: list[str], attribution: str) -> State[Any]:
    """Write the period's artifacts; returns the manifest's id."""
    [data], [shares] = get(workspace, "dataset", dataset), get(workspace, "attribution", attribution)
    trained = get(workspace, "adapter", *adapters)
    return ended(results.draft_period(Workspace.open_at(workspace), config, data, trained, shares))


@stage(name="record and report")
def report(workspace: str, config: RunConfig, made: dict[str, Any], started: str) -> str:
    """Write the run's record and its report; returns the run's id."""
    return results.record(Workspace.open_at(workspace), config, made, started)
