"""Rows with nearly the words of an earlier row of another contributor, in whatever order and punctuation.

MinHash signatures in bands propose pairs (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
ch. 3), and the exact Jaccard similarity decides. Short honest rows often differ in a word or two only, so what lies
below the threshold is judged by contribution, not by row (following.py).
"""

import hashlib
from array import array
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.normal_form import normalise, words
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening.findings import Check, Finding, Reason, Screening
from tribute.contributions.screening.token_sets import (
    Ids,
    Sets,
    concatenated,
    distinct,
    from_pairs,
    in_same_bucket,
    jaccard,
)

NEAR_DUPLICATE = Reason(
    "near_duplicate",
    "hold",
    "nearly repeats an earlier row of another contributor",
    "A reviewer decides whether it says something new.",
)
SLOTS = 96
"""Of a signature; they are cut into bands."""
MISSED = 0.001
"""At most this share of the pairs that are just near enough has no band in common."""
SEED = 20_260_101
CHUNK = 20_000


def near_duplicates(
    rows: Sequence[ContributedRow], threshold: float, *, same_target: bool, skip: Collection[int] = ()
) -> Iterator[Finding]:
    """Rows near an earlier kept row of another contributor, in the order of `rows`.

    Near are rows whose sets of words are at least `threshold` similar, after normalising; with `same_target` only rows
    with equal targets are compared, else the target's words count as well. `skip` holds the positions of rows that are
    excluded already.
    """
    positions = np.setdiff1d(np.arange(len(rows)), np.fromiter(skip, dtype=np.int64, count=len(skip)))
    chosen = [rows[position] for position in positions]
    later, earlier, similarity = _near_pairs(chosen, threshold, same_target)
    out: set[int] = set()
    for start, end in _runs(later):
        # Most similar first, of equals the earliest.
        for pair in start + np.lexsort((earlier[start:end], -similarity[start:end])):
            if int(earlier[pair]) not in out:
                row, canonical = chosen[later[pair]], chosen[earlier[pair]]
                out.add(int(later[pair]))
                value = round(float(similarity[pair]), 6)
                yield Finding(row, NEAR_DUPLICATE, canonical, value, threshold, "word_jaccard")
                break


def word_sequences(rows: Sequence[ContributedRow], *, same_target: bool) -> tuple[Sets, NDArray[np.uint64]]:
    """The words of each row in order as numbers, and for each number a hash that is the same everywhere."""
    numbers: dict[str, int] = {}
    items, bounds = array("q"), array("q", [0])
    for row in rows:
        sequence = words(row.row.text)
        if not same_target:
            sequence += [f"\0{word}" for word in words(row.row.target)]
        items.extend(numbers.setdefault(word, len(numbers)) for word in sequence)
        bounds.append(len(items))
    hashed = [int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little") for word in numbers]
    sequences = Sets(np.frombuffer(items, dtype=np.int64), np.frombuffer(bounds, dtype=np.int64))
    return sequences, np.array(hashed, dtype=np.uint64)


def band_rows(threshold: float) -> int:
    """Slots in a band: as many as still let at most MISSED of the pairs at the threshold slip through."""
    fitting = [rows for rows in range(1, 9) if (1 - threshold**rows) ** (SLOTS // rows) <= MISSED]
    return max(fitting, default=1)


def band_keys(sets: Sets, hashed: NDArray[np.uint64], groups: NDArray[np.uint64], rows: int) -> NDArray[np.uint64]:
    """(bands, sets): two sets share a band's key if its slots, and their groups, are equal."""
    from rensa import RMinHash

    keys = np.empty((SLOTS // rows, len(groups)), dtype=np.uint64)
    for start in range(0, len(groups), CHUNK):
        bounds = sets.bounds[start : start + CHUNK + 1]
        tokens = hashed[sets.items[bounds[0] : bounds[-1]]]
        offsets = (bounds - bounds[0]).astype(np.uint64)
        signatures = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, SLOTS, SEED)
        slots = np.array(signatures.to_rows(), dtype=np.uint64)
        for band in range(len(keys)):
            key = groups[start : start + CHUNK]
            for slot in slots[:, band * rows : (band + 1) * rows].T:
                key = (key ^ slot) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(31)
            keys[band, start : start + CHUNK] = key
    return keys


def _near_pairs(
    rows: Sequence[ContributedRow], threshold: float, same_target: bool
) -> tuple[Ids, Ids, NDArray[np.float64]]:
    """(later row, earlier row, similarity) of every near pair, sorted by the later row."""
    sequences, hashed = word_sequences(rows, same_target=same_target)
    sets = from_pairs(sequences.of_item(), sequences.items, len(rows))
    numbers: dict[str, int] = {}
    people = np.array([numbers.setdefault(row.contributor_id, len(numbers)) for row in rows], dtype=np.int64)
    targets: dict[str, int] = {}
    groups = np.zeros(len(rows), dtype=np.uint64)
    if same_target:
        names = [targets.setdefault(normalise(row.row.target), len(targets)) for row in rows]
        groups = np.array(names, dtype=np.uint64)
    matrix, parts = sets.matrix(len(hashed)), []
    for keys in band_keys(sets, hashed, groups, band_rows(threshold)):
        later, earlier = in_same_bucket(keys)
        apart = (people[later] != people[earlier]) & (groups[later] == groups[earlier])
        later, earlier = later[apart], earlier[apart]
        near = jaccard(matrix, matrix, sets.sizes, sets.sizes, later, earlier) >= threshold
        parts.append(later[near] * len(rows) + earlier[near])
    pairs = distinct(concatenated(parts))
    later, earlier = pairs // max(1, len(rows)), pairs % max(1, len(rows))
    return later, earlier, jaccard(matrix, matrix, sets.sizes, sets.sizes, later, earlier)


def _runs(values: Ids) -> Iterator[tuple[int, int]]:
    """(start, end) of every run of equal values."""
    if len(values):
        edges = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]])).tolist()
        yield from pairwise(edges)


def _find(screening: Screening) -> list[Finding]:
    threshold = screening.policy.near_duplicate
    if threshold is None:
        return []
    by_target = screening.is_labelled
    return list(near_duplicates(screening.rows, threshold, same_target=by_target, skip=screening.out))


CHECK = Check(NEAR_DUPLICATE, "rows", _find)
