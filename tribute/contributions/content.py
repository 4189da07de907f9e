"""Checks that look at each row for itself, or at where it lies among all: content, language, size, form."""

import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from tribute.contributions import personal
from tribute.contributions.findings import ContributedRow, Finding

DETECTABLE = 40
"""Shorter texts have too few letters for their language to be told."""
PACKABLE = 100
"""Bytes; shorter texts do not tell whether they repeat themselves."""
SPREAD = 1.4826
"""Makes the median absolute deviation an estimate of the standard deviation, for normal data."""


def secrets(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows with a private key, a password in a URL or a service's access key."""
    for row in rows:
        if found := list(dict.fromkeys((*personal.secrets(row.row.text), *personal.secrets(row.row.target)))):
            yield Finding(row, "secret", None, 1.0, 1.0, "detect-secrets", ", ".join(found))


def personal_data(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows with an e-mail address, phone number, IBAN or payment card number in text or response."""
    for row in rows:
        if found := [*personal.personal_data(row.row.text), *personal.personal_data(row.row.target)]:
            yield Finding(row, "personal_data", None, 1.0, 1.0, "patterns_and_checksums", ", ".join(found))


def language(rows: Sequence[ContributedRow], languages: Sequence[str], certainty: float) -> Iterator[Finding]:
    """Rows that with at least this certainty (0 to 1) are in none of the languages."""
    for row in rows:
        if len(row.row.text) < DETECTABLE:
            continue
        ranked = _identifier().rank(row.row.text)
        other = 1.0 - sum(float(share) for name, share in ranked if name in languages)
        if other >= certainty:
            evidence = f"reads like {ranked[0][0]}, expected {', '.join(languages)}"
            yield Finding(row, "language", None, round(other, 6), certainty, "py3langid", evidence)


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


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
