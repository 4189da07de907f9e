"""Rows in another language than the dataset's."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Finding, Reason, Screening

LANGUAGE = Reason(
    "language",
    "hold",
    "is in another language than the dataset takes",
    "A reviewer decides whether it stays out.",
)
DETECTABLE = 40
"""Shorter texts have too few letters to identify their language."""


def language(rows: Sequence[ContributedRow], languages: Sequence[str], certainty: float) -> Iterator[Finding]:
    """Rows that with at least this certainty (0 to 1) are in none of the languages."""
    for row in rows:
        if len(row.row.text) < DETECTABLE:
            continue
        ranked = _identifier().rank(row.row.text)
        other = 1.0 - sum(float(share) for name, share in ranked if name in languages)
        if other >= certainty:
            evidence = f"reads like {ranked[0][0]}, expected {', '.join(languages)}"
            yield Finding(row, LANGUAGE, None, round(other, 6), certainty, "py3langid", evidence)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _find(screening: Screening) -> list[Finding]:
    certainty, languages = screening.policy.language, screening.schema.languages
    return list(language(screening.rows, languages, certainty)) if certainty is not None and languages else []


CHECK = Check(LANGUAGE, "row", _find)
