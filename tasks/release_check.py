"""Tasks of the nightly look at the registry."""

from typing import Any

from tasks.outcome import stage
from tasks.pages import publish
from tasks.watching import log
from tribute.pipeline.operations import releasable
from tribute.pipeline.verification import verify
from tribute.workspace import Workspace


@stage(task_run_name="verify the registry")
def verify_registry(workspace: str) -> list[str]:
    """What of the registry is intact; fails where something is not."""
    return verify.verify_registry(Workspace.open_at(workspace))


@stage(task_run_name="find datasets")
def find_datasets(workspace: str) -> list[str]:
    """The names of the datasets that the registry declares."""
    return releasable.datasets(Workspace.open_at(workspace))


@stage(task_run_name="screen {dataset}")
def compare_release(workspace: str, dataset: str) -> Any:
    """Screen a dataset, and compare it with its last release."""
    return releasable.change(Workspace.open_at(workspace), dataset)


@stage(task_run_name="show what waits")
def show_releases(changes: list[Any], checks: list[str]) -> list[str]:
    """Show what waits for a release and for a review, dataset by dataset; returns the datasets to release."""
    publish("release-check", releasable.page(changes, checks))
    due = [change.dataset for change in changes if change.is_due]
    log(f"to release: {', '.join(due) or 'nothing'}")
    return due
