"""What `tribute accept` and `tribute reject` share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.contributions.releases import Verdict


class Decision(TypedDict):
    dataset: str
    verdict: str
    row_ids: list[str]
    log_seq: int


class Decided(TypedDict):
    decisions: list[Decision]


def record_decision(
    verdict: "Verdict", rows: Sequence[str], by: str, why: str, workspace: Path, dry_run: bool
) -> Output[Decided]:
    """Record a verdict on rows, one log entry per dataset."""
    from tribute.cli._registry import open_registry
    from tribute.contributions.releases import decide

    recorded = decide(open_registry(workspace, dry_run), verdict, rows, by, why)
    decisions: list[Decision] = [
        {"dataset": entry.dataset, "verdict": verdict, "row_ids": list(entry.rows), "log_seq": entry.seq}
        for entry in recorded
    ]
    verb = f"would {verdict}" if dry_run else f"{verdict}ed"
    lines = [f"{verb} {len(entry.rows)} rows of {entry.dataset}, log entry {entry.seq}" for entry in recorded]
    return Output({"decisions": decisions}, lines)
