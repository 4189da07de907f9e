"""Rows that say in other words what an earlier row says, by an encoder that comes in as an argument.

Meaning only flags a row; a person decides.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Encoder, Finding, Reason, Screening

PARAPHRASE = Reason("paraphrase", "flag", "says in other words what an earlier row of another contributor says")
CHUNK = 1024
"""Rows compared with all others at a time: bounds memory."""
NEIGHBOURS = 10


def paraphrases(
    rows: Sequence[ContributedRow], encoder: Encoder, threshold: float, *, same_target: bool
) -> Iterator[Finding]:
    """Rows whose embedding's cosine with an earlier row of another contributor is at least `threshold`.

    With `same_target` only rows with equal targets are compared.
    """
    vectors = encoder([row.row.text for row in rows])
    numbers: dict[str, int] = {}
    people = np.array([numbers.setdefault(row.contributor_id, len(numbers)) for row in rows], dtype=np.int64)
    groups = defaultdict(list)
    for position, row in enumerate(rows):
        groups[normalise(row.row.target) if same_target else ""].append(position)
    nearest = {}
    for members in (np.array(group) for group in groups.values()):
        for start in range(0, len(members), CHUNK):
            part = members[start : start + CHUNK]
            cosine = vectors[part] @ vectors[members].T
            allowed = (members[None, :] < part[:, None]) & (people[members][None, :] != people[part][:, None])
            cosine = np.where(allowed, cosine, -1.0)
            for position, other, value in zip(part, cosine.argmax(axis=1), cosine.max(axis=1), strict=True):
                if value >= threshold:
                    nearest[int(position)] = (int(members[other]), float(value))
    for position in sorted(nearest):
        other, value = nearest[position]
        yield Finding(rows[position], PARAPHRASE, rows[other], round(min(1.0, value), 6), threshold, "embedding_cosine")


def _find(screening: Screening) -> list[Finding]:
    if screening.encoder is None or screening.policy.paraphrase is None:
        return []
    by_target = screening.is_labelled
    return list(paraphrases(screening.rows, screening.encoder, screening.policy.paraphrase, same_target=by_target))


CHECK = Check(PARAPHRASE, "meaning", _find)
