"""Records contributions, releases them as a version, and writes the version's tables."""

from prefect import flow

from tasks.contributions import materialise, take_in
from tasks.contributions import release as cut
from tribute.config import DatasetConfig


@flow(name="contributions")
def contributions(workspace: str, dataset: DatasetConfig) -> str:
    """Returns the id of the dataset artifact."""
    tag = take_in(workspace, dataset)
    return materialise(workspace, tag)


@flow(name="release")
def release(workspace: str, tag: str) -> str:
    """Release what was contributed; returns the id of the dataset artifact."""
    version = cut(workspace, tag)
    return materialise(workspace, version)
