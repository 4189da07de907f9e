"""Tasks of the contributions column."""

from typing import Any

from prefect.states import State

from tasks.limits import REGISTRY, limited
from tasks.outcome import ended, stage
from tasks.watching import watched
from tribute.config import BaseConfig, DatasetConfig
from tribute.pipeline.stages import data, learned
from tribute.workspace import Workspace


@stage(task_run_name="take in contributions")
def take_in(workspace: str, dataset: DatasetConfig, base: BaseConfig | None = None) -> str:
    """Contribute the rows of the config's source and release them; returns the tag."""
    with watched(), limited(REGISTRY):
        data.take_in(Workspace.open_at(workspace), dataset, base)
    return dataset.tag


@stage(task_run_name="release {tag}")
def release(workspace: str, tag: str, base: BaseConfig | None = None) -> str:
    """Screen contributions and release them as a version, unless that exists; returns the tag."""
    with limited(REGISTRY):
        data.release(Workspace.open_at(workspace), tag, base)
    return tag


@stage(task_run_name="materialise {tag}")
def materialise(workspace: str, tag: str, base: BaseConfig | None = None) -> State[Any]:
    """The tables of a dataset version, as a base may learn it; returns the artifact's id."""
    with watched():
        return ended(learned.materialised(Workspace.open_at(workspace), tag, base))


@stage(task_run_name="find {tag}")
def find_dataset(workspace: str, tag: str, base: BaseConfig | None = None) -> str:
    """The id of the dataset artifact of a version; fails where the version is not released or not materialised."""
    return learned.found_dataset(Workspace.open_at(workspace), tag, base).id
