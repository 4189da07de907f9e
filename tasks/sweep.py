"""Tasks of a sweep over settings of the training."""

from typing import Any

from tasks.limits import on_device
from tasks.outcome import get, stage
from tasks.watching import watched
from tribute.config import RunConfig
from tribute.pipeline.stages import sweeping
from tribute.workspace import Workspace


@stage(task_run_name="propose trials")
def propose_trials(workspace: str, config: RunConfig, over: list[str], trials: int) -> list[Any]:
    """What to try next; empty when `trials` were tried."""
    return sweeping.propose(Workspace.open_at(workspace), config, over, trials)


@stage(task_run_name="trial {proposal[number]}")
def train_trial(workspace: str, config: RunConfig, over: list[str], dataset: str, proposal: Any) -> Any:
    """Train by one proposal; returns its validation losses, and whether it was pruned."""
    [data] = get(workspace, "dataset", dataset)
    with watched(), on_device(config):
        return sweeping.train_trial(Workspace.open_at(workspace), config, over, data, proposal)


@stage(task_run_name="conclude a round")
def conclude(workspace: str, config: RunConfig, over: list[str], proposals: list[Any], outcomes: list[Any]) -> None:
    """Record what came of a round of trials."""
    sweeping.conclude(Workspace.open_at(workspace), config, over, proposals, outcomes)


@stage(task_run_name="choose settings")
def choose(workspace: str, config: RunConfig, over: list[str], dataset: str) -> RunConfig:
    """The config by the settings of the least validation loss."""
    [data] = get(workspace, "dataset", dataset)
    return sweeping.chosen_config(Workspace.open_at(workspace), config, over, data)
