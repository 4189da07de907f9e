"""Tasks of the finetuning column."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, get, stage
from tribute.config import RunConfig
from tribute.pipeline import results, training
from tribute.workspace import Workspace


@stage(task_run_name="fine-tune seed {seed}")
def train(workspace: str, config: RunConfig, dataset: str, seed: int) -> State[Any]:
    """Train one seed; returns the adapter's id."""
    home = Workspace.open_at(workspace)
    return ended(training.train(home, config, home.store.get("dataset", dataset), seed))


@stage(name="baselines")
def measure_baselines(workspace: str, config: RunConfig, dataset: str) -> State[Any]:
    """Measure the baselines; returns the artifact's id."""
    home = Workspace.open_at(workspace)
    return ended(training.measure_baselines(home, config, home.store.get("dataset", dataset)))


@stage(name="compare losses")
def refuse_rise(workspace: str, adapters: list[str]) -> None:
    """Fail where a seed's evaluation loss did not fall, before anything is attributed."""
    training.refuse_rise(get(workspace, "adapter", *adapters))


@stage(name="register")
def register(workspace: str, dataset: str, adapter: str) -> dict[str, Any]:
    """Register the adapter and let it challenge the champion."""
    [data], [trained] = get(workspace, "dataset", dataset), get(workspace, "adapter", adapter)
    return results.register(Workspace.open_at(workspace), data, trained)
