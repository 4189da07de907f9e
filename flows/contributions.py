"""Contributions are taken in, released as a version, and laid out as tables."""

from prefect import flow

from tasks.contributions import materialise, take_in
from tribute.config import DatasetConfig


@flow(name="contributions")
def contributions(workspace: str, dataset: DatasetConfig) -> str:
    """Returns the id of the dataset artifact."""
    tag = take_in(workspace, dataset)
    return materialise(workspace, tag)
