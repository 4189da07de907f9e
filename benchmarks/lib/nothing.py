"""A flow that does nothing but say that it did."""

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run


@flow(name="nothing")
def nothing(done_by: str) -> None:
    """Add the run's id to the file."""
    with Path(done_by).open("a", encoding="utf-8") as lines:
        lines.write(f"{flow_run.id}\n")
