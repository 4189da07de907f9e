"""Rows that nearly repeat a row of the sealed evaluation: exact similarities, found without comparing all pairs.

Two sets can reach Jaccard similarity t only if the rarest |A| − ⌈t·|A|⌉ + 1 items of one and the like of the
other share one (prefix filtering; Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search").
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.normal_form import normalise, words
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Finding, Reason, Screening, TokenKeys
from tribute.contributions.screening.token_sets import Ids, Sets, best, distinct, from_pairs, jaccard

NEAR_EVALUATION = Reason("near_evaluation", "exclude", "comes too close to a row of the sealed evaluation", final=True)
EVALUATION_HITS = Reason(
    "evaluation_hits",
    "hold",
    "comes from a contributor of whom many other rows come too close to the sealed evaluation",
    "Ask the steward to look at your contributions as a whole.",
)
"""One such row is an accident; many say that somebody knows the evaluation, and may hold what no check finds."""
SHINGLE = 5
CHUNK = 8192
"""Rows taken at a time: bounds memory."""
WEIGHTS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63],
                   dtype=np.uint64)  # fmt: skip
"""Odd numbers by which a shingle's characters are hashed into 64 bits."""


def near_evaluation(
    rows: Sequence[ContributedRow], evaluation: Sequence[ContributedRow], threshold: float
) -> Iterator[Finding]:
    """Rows whose text is at least `threshold` similar to an evaluation row's, whatever the target."""
    texts, sealed = [row.row.text for row in rows], [row.row.text for row in evaluation]
    best_of, similarity = nearest(texts, sealed, threshold)
    for position in np.flatnonzero(similarity).tolist():
        canonical, value = evaluation[int(best_of[position])], round(float(similarity[position]), 6)
        yield Finding(rows[position], NEAR_EVALUATION, canonical, value, threshold, "shingle_jaccard")


def same_tokens_as_sealed(
    rows: Sequence[ContributedRow], evaluation: Sequence[ContributedRow], token_keys: TokenKeys
) -> Iterator[Finding]:
    """Rows of whose text the model reads exactly what it reads of an evaluation row."""
    sealed = dict(zip(token_keys(evaluation), evaluation, strict=True))
    for row, key in zip(rows, token_keys(rows), strict=True):
        if key is not None and key in sealed:
            yield Finding(row, NEAR_EVALUATION, sealed[key], 1.0, 1.0, "token_ids")


def same_words_as_sealed(rows: Sequence[ContributedRow], evaluation: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows with the words of an evaluation row, whatever the punctuation."""
    sealed = {_words(row): row for row in evaluation}
    for row in rows:
        if (key := _words(row)) and key in sealed:
            yield Finding(row, NEAR_EVALUATION, sealed[key], 1.0, 1.0, "words")


def nearest(texts: Sequence[str], others: Sequence[str], threshold: float) -> tuple[Ids, NDArray[np.float64]]:
    """For each text the index of the most similar other and the similarity, 0 where it is below `threshold`.

    Jaccard over sets of 5-character shingles of the normalised texts. Ties go to the earliest other.
    """
    sealed = _Index(others, threshold)
    parts = [sealed.nearest(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    return np.concatenate([index for index, _ in parts]), np.concatenate([value for _, value in parts])


class _Index:
    """The sets of shingles of the sealed texts, their items numbered from rare to frequent."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        owners, hashed = shingle_hashes(texts)
        self.threshold = threshold
        known, first = np.unique(hashed, return_inverse=True)
        by_rarity = np.argsort(np.bincount(first, minlength=len(known)), kind="stable")
        self._known, self._rank = known, np.argsort(by_rarity)
        self.sets = from_pairs(owners, self._rank[first], len(texts))
        self.matrix = self.sets.matrix(len(known))
        prefix = self._in_prefix(self.sets, self.sets.sizes, np.zeros(len(texts), dtype=np.int64))
        # The other way round: item → the sealed texts that have it in their prefix.
        self.holders = from_pairs(self.sets.items[prefix], self.sets.of_item()[prefix], len(known))

    def nearest(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.float64]]:
        owners, hashed = shingle_hashes(texts)
        place = np.minimum(np.searchsorted(self._known, hashed), len(self._known) - 1)
        is_known = self._known[place] == hashed
        sizes = _distinct(owners, hashed, len(texts))
        sets = from_pairs(owners[is_known], self._rank[place[is_known]], len(texts))
        prefix = self._in_prefix(sets, sizes, sizes - sets.sizes)
        a, b = self._candidates(sets.of_item()[prefix], sets.items[prefix])
        similarity = jaccard(sets.matrix(len(self._known)), self.matrix, sizes, self.sets.sizes, a, b)
        near = similarity >= self.threshold
        return best(a[near], b[near], similarity[near], len(texts))

    def _in_prefix(self, sets: Sets, sizes: Ids, unknown: Ids) -> NDArray[np.bool_]:
        """Which items are among the rarest of their set; `unknown` items come before all others."""
        most = sizes - np.ceil(self.threshold * sizes - 1e-9).astype(np.int64) + 1 - unknown
        place = np.arange(len(sets.items)) - np.repeat(sets.bounds[:-1], sets.sizes)
        return np.asarray(place < np.repeat(most, sets.sizes))

    def _candidates(self, owners: Ids, items: Ids) -> tuple[Ids, Ids]:
        """Each pair of a text and a sealed text that share an item of both prefixes, once."""
        counts = self.holders.sizes[items]
        starts = np.repeat(self.holders.bounds[items] - np.cumsum(counts) + counts, counts)
        sealed = self.holders.items[starts + np.arange(len(starts))]
        pairs = distinct(np.repeat(owners, counts) * len(self.sets.sizes) + sealed)
        return pairs // len(self.sets.sizes), pairs % len(self.sets.sizes)


def shingle_hashes(texts: Sequence[str]) -> tuple[Ids, NDArray[np.uint64]]:
    """(index of the text, 64-bit hash) of every shingle, as often as it occurs.

    A shingle is a 5-character substring of the normalised text; a shorter text is its own only shingle.
    """
    # NUL is in no row, so a padded text equals no other's shingle.
    plain = [normalise(text).ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(plain).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in plain], dtype=np.int64)
    owners = np.repeat(np.arange(len(plain)), lengths)
    count = max(0, len(codes) - SHINGLE + 1)
    hashed = np.zeros(count, dtype=np.uint64)
    for offset, weight in enumerate(WEIGHTS):
        mixed = codes[offset : offset + count] * weight
        hashed = (hashed ^ (mixed ^ (mixed >> np.uint64(29)))) * np.uint64(0xBF58476D1CE4E5B9)
    whole = owners[:count] == owners[SHINGLE - 1 :] if count else np.zeros(0, dtype=bool)
    return owners[:count][whole], hashed[whole]


def _distinct(owners: Ids, hashed: NDArray[np.uint64], count: int) -> Ids:
    """How many different hashes each owner has; of a hash the 50 bits count that an owner's number leaves."""
    keys = distinct((owners.astype(np.uint64) << np.uint64(50)) | (hashed >> np.uint64(14)))
    return np.bincount((keys >> np.uint64(50)).astype(np.int64), minlength=count)


def _words(row: ContributedRow) -> tuple[str, ...]:
    return tuple(words(row.row.text))


def _find(screening: Screening) -> list[Finding]:
    if not screening.evaluation:
        return []
    rows, evaluation, keys = screening.rows, screening.evaluation, screening.token_keys
    near = near_evaluation(rows, evaluation, screening.schema.near_evaluation)
    same = same_words_as_sealed(rows, evaluation)
    return [*near, *same, *(same_tokens_as_sealed(rows, evaluation, keys) if keys else ())]


def _hits(screening: Screening) -> list[Finding]:
    limit = screening.policy.evaluation_hits
    if limit is None:
        return []
    rows = screening.rows
    counts = Counter(rows[place].contributor_id for place in screening.near_evaluation)
    return [
        Finding(row, EVALUATION_HITS, None, count, limit, "count", f"{count} rows too close, {limit} are allowed")
        for place, row in enumerate(rows)
        if place not in screening.near_evaluation and (count := counts[row.contributor_id]) > limit
    ]


CHECK = Check(NEAR_EVALUATION, "row", _find)
HITS_CHECK = Check(EVALUATION_HITS, "rows", _hits)
