"""A contributed row, and what screening found out about one. Knows no check."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tribute.contributions.rows import Row, hashes

Action = Literal["exclude", "hold", "flag"]
ACTIONS: dict[str, Action] = {
    "rejected": "exclude",
    "terms": "exclude",
    "duplicate": "exclude",
    "conflicting_label": "hold",
    "near_evaluation": "exclude",
    "near_duplicate": "exclude",
    "secret": "hold",
    "personal_data": "hold",
    "language": "hold",
    "outlier": "hold",
    "paraphrase": "flag",
    "label_neighbours": "flag",
}
"""Reason → what follows, in the order in which a row's first reason is its own.

`exclude`: out. `hold`: out until a person accepts the row. `flag`: in unless a person rejects it.
"""
FINAL = ("rejected", "terms", "duplicate", "near_evaluation")
"""Reasons that no acceptance outweighs: a sealed evaluation stays sealed, a copy stays a copy."""
DETECTOR_VERSION = "2"

Encoder = Callable[[Sequence[str]], Any]
"""Texts → one L2-normalised embedding each, an array of floats of shape (texts, dimensions)."""


@dataclass(frozen=True, slots=True)
class ContributedRow:
    """A row and where it came from."""

    contribution_id: str
    contributor_id: str
    row: Row
    text_sha256: str
    content_sha256: str

    @property
    def row_id(self) -> str:
        """`<contribution id>:<line>`."""
        return f"{self.contribution_id}:{self.row.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row with a reason code; `similarity` reached `threshold`, both in the detector's own measure.

    `canonical` is the row that it gives way to, where there is one. `evidence` says in words what was found,
    without repeating what must not spread.
    """

    row: ContributedRow
    reason: str
    canonical: ContributedRow | None
    similarity: float
    threshold: float
    detector: str
    evidence: str = ""

    @property
    def action(self) -> Action:
        """What follows unless a person decides otherwise."""
        return ACTIONS[self.reason]


def contributed(contribution_id: str, contributor_id: str, rows: Iterable[Row]) -> list[ContributedRow]:
    """Rows with their origin; hashes are computed once, here."""
    return [ContributedRow(contribution_id, contributor_id, row, *hashes(row.text, row.target)) for row in rows]
