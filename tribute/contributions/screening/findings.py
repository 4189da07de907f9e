"""A contributed row, and what screening found out about one. Knows no check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tribute.contributions.rows import ContributedRow

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


@dataclass(frozen=True)
class Decision:
    """What a person said about a row: `accept` or `reject`."""

    verdict: str
    by: str
    why: str
    seq: int


REASONS = {
    "duplicate": "repeats a row that came first",
    "conflicting_label": "same text as an earlier row but another label; waits for review",
    "near_evaluation": "too close to a row of the evaluation set",
    "near_duplicate": "nearly repeats a row of somebody else that came first",
    "secret": "holds a key or password; waits for review",
    "personal_data": "holds somebody’s personal data; waits for review",
    "language": "in another language than the dataset takes; waits for review",
    "outlier": "unlike all other rows in length or form; waits for review",
    "rejected": "rejected by a person, who said why in the ledger",
    "terms": "its terms do not allow learning from it",
}
