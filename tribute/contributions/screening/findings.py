"""What a check says about a row: a reason, what follows from it, and the row that it gives way to. Knows no check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tribute.contributions.rows import ContributedRow
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.policy import ScreeningPolicy

Action = Literal["exclude", "hold", "flag"]
"""`exclude`: out. `hold`: out until a person accepts the row. `flag`: in unless a person rejects it."""
DETECTOR_VERSION = "3"
Encoder = Callable[[Sequence[str]], Any]
"""Texts → one L2-normalised embedding each, an array of floats of shape (texts, dimensions)."""
TokenKeys = Callable[[Sequence[ContributedRow]], Sequence[bytes | None]]
"""Rows → a key of what the model reads of each text; None where the tokenizer does not know all of it."""
Rows = Sequence[ContributedRow]


@dataclass(frozen=True)
class Reason:
    """Why a row is left out or waits: `words` complete "This row …", `advice` says what its contributor can do.

    No acceptance outweighs a `final` reason: a sealed evaluation stays sealed, a copy stays a copy.
    """

    code: str
    action: Action
    words: str
    advice: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A row with a reason; `similarity` reached `threshold`, both in the detector's own measure.

    `canonical` is the row that it gives way to, where there is one. `evidence` says in words what was found,
    without repeating what must not spread.
    """

    row: ContributedRow
    cause: Reason
    canonical: ContributedRow | None
    similarity: float
    threshold: float
    detector: str
    evidence: str = ""

    @property
    def reason(self) -> str:
        """The code of the reason."""
        return self.cause.code

    @property
    def action(self) -> Action:
        """What follows unless a person decides otherwise."""
        return self.cause.action


@dataclass(frozen=True)
class Screening:
    """What checks look at: the rows of a dataset in the order of the log, and by which measures.

    `out` holds the positions of rows that exact checks have excluded already: they prove nothing about later rows.
    """

    rows: Rows
    evaluation: Rows
    schema: DatasetSchema
    policy: ScreeningPolicy
    encoder: Encoder | None = None
    token_keys: TokenKeys | None = None
    out: frozenset[int] = field(default=frozenset())
    near_evaluation: frozenset[int] = field(default=frozenset())
    """Positions of rows that come too close to the sealed evaluation."""

    @property
    def is_labelled(self) -> bool:
        """Does a row's target come from a fixed list of labels?"""
        return bool(self.schema.labels)


@dataclass(frozen=True)
class Check:
    """One way to look at rows. `needs` says what it compares: hashes, each row alone, all rows, or their meaning."""

    reason: Reason
    needs: Literal["hashes", "row", "rows", "meaning"]
    find: Callable[[Screening], Sequence[Finding]]


@dataclass(frozen=True)
class Decision:
    """What a person decided about a row: `accept` or `reject`."""

    verdict: str
    by: str
    why: str
    seq: int


REJECTED = Reason(
    "rejected", "exclude", "was rejected by a reviewer, whose reason is in the registry's log", final=True
)
TERMS = Reason("terms", "exclude", "may not be learned from under its terms", "Renew the terms.", final=True)
AFTER_SEALING = Reason(
    "after_sealing",
    "exclude",
    "came in after the evaluation was sealed, which pays only for rows that came in before",
    "The first version whose evaluation is sealed anew has it.",
    final=True,
)
HARMFUL = Reason(
    "harmful",
    "hold",
    "is among rows whose labels the other rows least expect, and the model is worse with them on evaluation rows that "
    "pay nobody",
    "Ask the steward to accept it, or dispute the statement; the next version looks again.",
)
Decisions = Mapping[str, Decision]
"""Row id → what a person last decided."""
