"""Rows whose nearest neighbours by meaning have another label."""

from collections.abc import Iterator, Sequence

import numpy as np

from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Encoder, Finding, Reason, Screening
from tribute.contributions.screening.paraphrases import CHUNK, NEIGHBOURS

LABEL_NEIGHBOURS = Reason("label_neighbours", "flag", "has another label than the rows nearest in meaning")


def odd_labels(rows: Sequence[ContributedRow], encoder: Encoder, share: float) -> Iterator[Finding]:
    """Rows of which at least this share of the ten nearest rows has one other label."""
    vectors = encoder([row.row.text for row in rows])
    targets = np.array([row.row.target for row in rows])
    if len(rows) <= NEIGHBOURS:
        return
    for start in range(0, len(rows), CHUNK):
        cosine = vectors[start : start + CHUNK] @ vectors.T
        places = np.arange(start, start + len(cosine))
        cosine[np.arange(len(cosine)), places] = -2.0
        nearest = np.argpartition(-cosine, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        for position, around in zip(places.tolist(), targets[nearest], strict=True):
            names, counts = np.unique(around, return_counts=True)
            part = counts.max() / NEIGHBOURS
            most = str(names[counts.argmax()])
            if most != targets[position] and part >= share:
                evidence = f"{counts.max()} of its {NEIGHBOURS} nearest rows are {most!r}"
                yield Finding(
                    rows[position], LABEL_NEIGHBOURS, None, round(float(part), 6), share, "embedding_knn", evidence
                )


def _find(screening: Screening) -> list[Finding]:
    share = screening.policy.label_neighbours
    if screening.encoder is None or share is None or not screening.is_labelled:
        return []
    return list(odd_labels(screening.rows, screening.encoder, share))


CHECK = Check(LABEL_NEIGHBOURS, "meaning", _find)
