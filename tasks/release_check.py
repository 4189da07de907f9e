"""Tasks of the nightly look at the registry."""

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


@stage(task_run_name="compare with the last releases")
def compare_releases(workspace: str, checks: list[str]) -> list[str]:
    """Show what waits for a release and for a review, dataset by dataset; returns the datasets to release."""
    datasets = releasable.changes(Workspace.open_at(workspace))
    publish("release-check", releasable.page(datasets, checks))
    due = [change.dataset for change in datasets if change.is_due]
    log(f"to release: {', '.join(due) or 'nothing'}")
    return due
