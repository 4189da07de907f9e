"""Tasks of the attribution column."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, get, stage
from tribute import stages
from tribute.config import RunConfig
from tribute.workspace import Workspace


@stage(task_run_name="credit of adapter {adapter}")
def credit(workspace: str, config: RunConfig, dataset: str, adapter: str) -> State[Any]:
    """Walk one adapter's trace; returns the credit's id."""
    [data], [trained] = get(workspace, "dataset", dataset), get(workspace, "adapter", adapter)
    return ended(stages.credited(Workspace.open_at(workspace), config, data, trained))


@stage(name="choose whom to leave out")
def to_leave_out(workspace: str, config: RunConfig, dataset: str, credits: list[str]) -> list[str]:
    """The contributors whose effect is measured by real retraining."""
    [data] = get(workspace, "dataset", dataset)
    return stages.to_leave_out(config, data, get(workspace, "credit", *credits))


@stage(task_run_name="retrain without {without}")
def retrain(workspace: str, config: RunConfig, dataset: str, without: str) -> State[Any]:
    """Train again without one contributor; returns the retraining's id."""
    [data] = get(workspace, "dataset", dataset)
    return ended(stages.retrained(Workspace.open_at(workspace), config, data, without))


@stage(name="combine seeds and retrainings")
def combine(
    workspace: str,
    config: RunConfig,
    dataset: str,
    adapters: list[str],
    credits: list[str],
    retrainings: dict[str, str],
) -> State[Any]:
    """Scores, shares, effects and the card; returns the attribution's id."""
    [data] = get(workspace, "dataset", dataset)
    trained, walked = get(workspace, "adapter", *adapters), get(workspace, "credit", *credits)
    without = dict(zip(retrainings, get(workspace, "retraining", *retrainings.values()), strict=True))
    return ended(stages.attributed(Workspace.open_at(workspace), config, data, trained, walked, without))
