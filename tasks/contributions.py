"""Tasks of the contributions column."""

from typing import Any

from prefect import task
from prefect.states import State

from tasks.outcome import ended, is_passing
from tribute import stages
from tribute.config import DatasetConfig
from tribute.workspace import Workspace

retried = {"retries": 2, "retry_delay_seconds": 5, "retry_condition_fn": is_passing}


@task(name="take in contributions", persist_result=False, **retried)
def take_in(workspace: str, dataset: DatasetConfig) -> str:
    """Contribute and release what the config's source holds; returns the tag."""
    stages.take_in(Workspace.open_at(workspace), dataset)
    return dataset.tag


@task(name="materialise {tag}", task_run_name="materialise {tag}", persist_result=False, **retried)
def materialise(workspace: str, tag: str) -> State[Any]:
    """The tables of a dataset version; returns the artifact's id."""
    return ended(stages.materialised(Workspace.open_at(workspace), tag))
