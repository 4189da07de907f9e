"""Checks that look at each row for itself, or at where it lies among all: content, language, size, form."""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Finding

PACKABLE = 100
"""Bytes; shorter texts do not tell whether they repeat themselves."""
SPREAD = 1.4826
"""Makes the median absolute deviation an estimate of the standard deviation, for normal data."""


def unusual_length(rows: Sequence[ContributedRow], deviations: float) -> Iterator[Finding]:
    """Rows whose text's log length is so many robust standard deviations from the median."""
    lengths = np.log(np.array([len(row.row.text) for row in rows] or [1]))
    middle = float(np.median(lengths))
    spread = SPREAD * float(np.median(np.abs(lengths - middle)))
    if spread == 0:
        return
    for row, away in zip(rows, np.abs(lengths - middle) / spread, strict=False):
        if away >= deviations:
            evidence = f"{len(row.row.text)} characters, the median is {np.exp(middle):.0f}"
            yield Finding(row, "outlier", None, round(float(away), 6), deviations, "log_length", evidence)


def repetitive(rows: Sequence[ContributedRow], share: float) -> Iterator[Finding]:
    """Rows that zlib packs to at most this share of their size: they say one thing over and over."""
    for row in rows:
        content = row.row.text.encode()
        if len(content) < PACKABLE:
            continue
        packed = len(zlib.compress(content, 6)) / len(content)
        if packed <= share:
            evidence = f"zlib packs it to {packed:.0%}"
            # As a similarity to itself: the more it repeats, the higher.
            yield Finding(row, "outlier", None, round(1 - packed, 6), round(1 - share, 6), "zlib_ratio", evidence)
