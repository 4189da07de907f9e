"""Rows unlike all others: far longer or shorter than the dataset's rows, or repeating themselves."""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Finding, Reason, Screening

OUTLIER = Reason(
    "outlier",
    "hold",
    "is unlike the other rows in length or repeats itself",
    "A reviewer decides whether it stays out.",
)
PACKABLE = 100
"""Bytes; in shorter texts zlib finds no repetition."""
SPREAD = 1.4826
"""Makes the median absolute deviation an estimate of the standard deviation, for normal data."""


def unusual_length(rows: Sequence[ContributedRow], deviations: float) -> Iterator[Finding]:
    """Rows whose text's log length is that many robust standard deviations from the median."""
    lengths = np.log(np.array([len(row.row.text) for row in rows] or [1]))
    middle = float(np.median(lengths))
    spread = SPREAD * float(np.median(np.abs(lengths - middle)))
    if spread == 0:
        return
    for row, away in zip(rows, np.abs(lengths - middle) / spread, strict=False):
        if away >= deviations:
            evidence = f"{len(row.row.text)} characters, the median is {np.exp(middle):.0f}"
            yield Finding(row, OUTLIER, None, round(float(away), 6), deviations, "log_length", evidence)


def repetitive(rows: Sequence[ContributedRow], share: float) -> Iterator[Finding]:
    """Rows that zlib packs to at most this share of their size: they repeat themselves."""
    for row in rows:
        content = row.row.text.encode()
        if len(content) < PACKABLE:
            continue
        packed = len(zlib.compress(content, 6)) / len(content)
        if packed <= share:
            evidence = f"zlib packs it to {packed:.0%}"
            # As a similarity to itself: the more it repeats, the higher.
            yield Finding(row, OUTLIER, None, round(1 - packed, 6), round(1 - share, 6), "zlib_ratio", evidence)


def _find_lengths(screening: Screening) -> list[Finding]:
    deviations = screening.policy.length
    return [] if deviations is None else list(unusual_length(screening.rows, deviations))


def _find_repetition(screening: Screening) -> list[Finding]:
    share = screening.policy.compressibility
    return [] if share is None else list(repetitive(screening.rows, share))


LENGTH_CHECK = Check(OUTLIER, "rows", _find_lengths)
REPETITION_CHECK = Check(OUTLIER, "row", _find_repetition)
