"""Which rows of a version may not be learned from, decided before any training.

Each check is a function that gives every row it excludes one reason. A row keeps the first: `duplicate`,
then `conflicting_label`, then `near_evaluation`. Rows come in the order of the ledger; the earliest of equal
rows is canonical. Knows nothing of git, DVC or files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.rows import Row, normalise
from tribute.contributions.schema import DatasetSchema

SHINGLE = 5
CHUNK = 512
"""Rows compared with the evaluation set at a time: bounds memory at CHUNK × evaluation rows."""
DETECTOR_VERSION = "1"


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Exclusion:
    """A row that is excluded in favour of a canonical one; `similarity` reached `threshold` (0 to 1)."""

    row: ContributedRow
    reason: str
    canonical: ContributedRow
    similarity: float
    threshold: float
    detector: str


def contributed(contribution_id: str, contributor_id: str, rows: Sequence[Row]) -> list[ContributedRow]:
    """Rows with their origin; hashes are computed once, here."""
    return [ContributedRow(contribution_id, contributor_id, row, row.text_sha256, row.content_sha256) for row in rows]


def screen(
    rows: Sequence[ContributedRow], evaluation: Sequence[ContributedRow], schema: DatasetSchema
) -> list[Exclusion]:
    """Every excluded row, in the order of `rows`."""
    found = {one.row.row_id: one for one in near_evaluation(rows, evaluation, schema.near_evaluation)}
    if schema.task == "sequence-classification":
        found |= {one.row.row_id: one for one in conflicting_labels(rows)}
    found |= {one.row.row_id: one for one in duplicates(rows)}
    return [found[row.row_id] for row in rows if row.row_id in found]


def duplicates(rows: Sequence[ContributedRow]) -> Iterator[Exclusion]:
    """Rows whose normalised text and target an earlier row has."""
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.content_sha256, row)
        if canonical is not row:
            yield Exclusion(row, "duplicate", canonical, 1.0, 1.0, "content_sha256")


def conflicting_labels(rows: Sequence[ContributedRow]) -> Iterator[Exclusion]:
    """Rows whose normalised text an earlier row has under another label; the earlier one stays.

    For classification only: one prompt may well have several good responses.
    """
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.text_sha256, row)
        if canonical.content_sha256 != row.content_sha256:
            yield Exclusion(row, "conflicting_label", canonical, 1.0, 1.0, "text_sha256")


def near_evaluation(
    rows: Sequence[ContributedRow], evaluation: Sequence[ContributedRow], threshold: float
) -> Iterator[Exclusion]:
    """Rows whose text is at least `threshold` similar to an evaluation row's, whatever the target."""
    texts, sealed = [one.row.text for one in rows], [one.row.text for one in evaluation]
    best, similarity = nearest(texts, sealed)
    for row, index, value in zip(rows, best, similarity, strict=True):
        if value >= threshold:
            yield Exclusion(
                row,
                "near_evaluation",
                evaluation[index],
                round(float(value), 6),
                threshold,
                "shingle_jaccard",
            )


def nearest(texts: Sequence[str], others: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each text the index of the most similar other and the similarity, exact (not sketched).

    Jaccard over sets of shingles: |A ∩ B| / (|A| + |B| − |A ∩ B|). Ties go to the earliest other.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectoriser = CountVectorizer(analyzer=shingles, binary=True, dtype=np.float32)
    right = vectoriser.fit_transform(others)
    sizes = np.asarray(right.sum(axis=1)).ravel()
    transposed = right.T.tocsr()
    best = np.zeros(len(texts), dtype=np.int64)
    similarity = np.zeros(len(texts))
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        # Shingles that no other has are not in the vocabulary, but count in the size of the text's set.
        own = np.array([len(shingles(text)) for text in chunk], dtype=np.float32)
        common = (vectoriser.transform(chunk) @ transposed).toarray()
        jaccard = common / (own[:, None] + sizes[None, :] - common)
        best[start : start + CHUNK] = jaccard.argmax(axis=1)
        similarity[start : start + CHUNK] = jaccard.max(axis=1)
    return best, similarity


def shingles(text: str) -> set[str]:
    """The 5-character substrings of the normalised text; a shorter text is its own only shingle."""
    plain = normalise(text)
    return {plain[start : start + SHINGLE] for start in range(max(1, len(plain) - SHINGLE + 1))}
