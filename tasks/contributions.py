"""Tasks of the contributions column."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, stage
from tribute.config import DatasetConfig
from tribute.pipeline import data
from tribute.workspace import Workspace


@stage(name="take in contributions")
def take_in(workspace: str, dataset: DatasetConfig) -> str:
    """Contribute the rows of the config's source and release them; returns the tag."""
    data.take_in(Workspace.open_at(workspace), dataset)
    return dataset.tag


@stage(task_run_name="release {tag}")
def release(workspace: str, tag: str) -> str:
    """Screen contributions and release them as a version, unless that exists; returns the tag."""
    data.release(Workspace.open_at(workspace), tag)
    return tag


@stage(task_run_name="materialise {tag}")
def materialise(workspace: str, tag: str) -> State[Any]:
    """The tables of a dataset version; returns the artifact's id."""
    return ended(data.materialised(Workspace.open_at(workspace), tag))
