"""Rows in another language than the dataset's."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Finding

DETECTABLE = 40
"""Shorter texts have too few letters for their language to be told."""


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


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
