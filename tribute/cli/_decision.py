"""What `tribute accept` and `tribute reject` share."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tribute.cli._output import Output
from tribute.cli._registry import open_registry
from tribute.contributions.releases import review


def record_decision(
    verdict: review.Verdict, rows: Sequence[str], by: str, why: str, workspace: Path, dry_run: bool
) -> Output:
    """Record a verdict on rows, a ledger entry per dataset."""
    recorded = review.decide(open_registry(workspace, dry_run), verdict, rows, by, why)
    verb = f"would {verdict}" if dry_run else f"{verdict}ed"
    lines = [f"{verb} {len(entry.rows)} rows of {entry.dataset}, ledger entry {entry.seq}" for entry in recorded]
    return Output([asdict(entry) for entry in recorded], lines)
