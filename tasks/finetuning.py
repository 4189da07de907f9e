"""Tasks of the finetuning column."""

from typing import Any

from prefect.states import State

from tasks.limits import on_device
from tasks.outcome import ended, get, stage
from tasks.pages import key_of
from tasks.watching import log, watched, watched_training
from tribute.config import RunConfig
from tribute.pipeline.planning.full_memory import compared_with_plan
from tribute.pipeline.runs import summary
from tribute.pipeline.stages import tracked, training
from tribute.workspace import Workspace


@stage(task_run_name="fine-tune seed {seed}")
def train(workspace: str, config: RunConfig, dataset: str, seed: int) -> State[Any]:
    """Train one seed; returns the adapter's id."""
    home, [data] = Workspace.open_at(workspace), get(workspace, "dataset", dataset)
    title = f"{config.run} {config.dataset.tag}: fine-tune seed {seed}"
    with watched_training(key_of(title), title), on_device(config), compared_with_plan(config, data):
        adapter = training.train(home, config, data, seed)
    log(summary.training_line(adapter))
    return ended(adapter)


@stage(task_run_name="baselines")
def measure_baselines(workspace: str, config: RunConfig, dataset: str) -> State[Any]:
    """Measure the baselines; returns the artifact's id."""
    home = Workspace.open_at(workspace)
    with watched():
        return ended(training.measure_baselines(home, config, home.store.get("dataset", dataset)))


@stage(task_run_name="compare losses")
def refuse_rise(workspace: str, adapters: list[str]) -> None:
    """Fail where a seed's evaluation loss did not fall, before anything is attributed."""
    training.refuse_rise(get(workspace, "adapter", *adapters))


@stage(task_run_name="find adapters")
def find_adapters(workspace: str, config: RunConfig, dataset: str) -> list[str]:
    """The ids of the adapters that were trained; fails where a seed was not."""
    [data] = get(workspace, "dataset", dataset)
    return [adapter.id for adapter in training.find_adapters(Workspace.open_at(workspace), config, data)]


@stage(task_run_name="register")
def register(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """Register the best seed's adapter and let it challenge the champion."""
    [data], trained = get(workspace, "dataset", dataset), get(workspace, "adapter", *adapters)
    return tracked.register(Workspace.open_at(workspace), config, data, trained)
