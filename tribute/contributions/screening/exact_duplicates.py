"""Rows that say exactly what an earlier row says, or the same under another label."""

from collections.abc import Iterator, Sequence

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Finding


def duplicates(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows whose normalised text and target an earlier row has, in the same contribution or another."""
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.content_sha256, row)
        if canonical is not row:
            yield Finding(row, "duplicate", canonical, 1.0, 1.0, "content_sha256")


def conflicting_labels(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows whose normalised text an earlier row has under another label; the earlier one stays.

    For classification only: one prompt may well have several good responses.
    """
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.text_sha256, row)
        if canonical.content_sha256 != row.content_sha256:
            yield Finding(row, "conflicting_label", canonical, 1.0, 1.0, "text_sha256")
