"""Tasks of the finetuning column."""

from typing import Any

from prefect import task
from prefect.states import State

from tasks.outcome import ended, get, is_passing
from tribute import stages
from tribute.config import RunConfig
from tribute.finetuning.tracking import Tracker
from tribute.workspace import Workspace

retried = {"retries": 2, "retry_delay_seconds": 5, "retry_condition_fn": is_passing}


@task(task_run_name="fine-tune seed {seed}", persist_result=False, **retried)
def train(workspace: str, config: RunConfig, dataset: str, seed: int) -> State[Any]:
    """Train one seed; returns the adapter's id."""
    home = Workspace.open_at(workspace)
    return ended(stages.trained(home, config, home.store.get("dataset", dataset), seed))


@task(name="baselines", persist_result=False, **retried)
def measure_baselines(workspace: str, config: RunConfig, dataset: str) -> State[Any]:
    """Measure what simple methods reach; returns the artifact's id."""
    home = Workspace.open_at(workspace)
    return ended(stages.baselines(home, config, home.store.get("dataset", dataset)))


@task(name="register", persist_result=False, **retried)
def register(workspace: str, dataset: str, adapter: str) -> dict[str, Any]:
    """Register the adapter and let it challenge the champion."""
    [data], [trained] = get(workspace, "dataset", dataset), get(workspace, "adapter", adapter)
    registered = Tracker(Workspace.open_at(workspace).mlflow).register(data, trained)
    return {"name": registered.name, "version": registered.version, "champion": registered.champion}
