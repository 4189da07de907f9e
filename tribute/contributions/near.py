"""Rows that nearly repeat an earlier row of another contributor: a word changed, or the words in another order.

MinHash signatures in bands propose pairs (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", ch. 3), the exact Jaccard similarity decides.
"""

import hashlib
from array import array
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.findings import ContributedRow, Finding
from tribute.contributions.rows import normalise
from tribute.contributions.sets import Ids, Sets, concatenated, distinct, jaccard

SLOTS = 96
"""Of a signature; they are cut into bands."""
MISSED = 0.001
"""At most this share of the pairs that are just near enough has no band in common."""
SEED = 20_260_101
CHUNK = 20_000
NEIGHBOURS = 4
"""In a crowded bucket a row is compared with so many of its first rows and of those just before it."""


def near_duplicates(
    rows: Sequence[ContributedRow], threshold: float, *, same_target: bool, skip: Collection[int] = ()
) -> Iterator[Finding]:
    """Rows at least `threshold` similar to an earlier kept row of another contributor, in the order of `rows`.

    The sets are those of the words of the normalised text; with `same_target` only rows with equal targets are
    compared, else the target's words count as well. `skip`: positions of rows that are out already.
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
                yield Finding(
                    row, "near_duplicate", canonical, round(float(similarity[pair]), 6), threshold, "word_jaccard"
                )
                break


def word_sets(rows: Sequence[ContributedRow], *, same_target: bool) -> tuple[Sets, NDArray[np.uint64]]:
    """The words of each row as numbers, and for each number a hash that is the same everywhere."""
    numbers: dict[str, int] = {}
    items, bounds = array("q"), array("q", [0])
    for one in rows:
        words = set(normalise(one.row.text).split())
        if not same_target:
            words |= {f"\0{word}" for word in normalise(one.row.target).split()}
        items.extend(sorted(numbers.setdefault(word, len(numbers)) for word in words))
        bounds.append(len(items))
    hashed = [int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little") for word in numbers]
    sets = Sets(np.frombuffer(items, dtype=np.int64), np.frombuffer(bounds, dtype=np.int64))
    return sets, np.array(hashed, dtype=np.uint64)


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
        made = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, SLOTS, SEED)
        slots = np.array(made.to_rows(), dtype=np.uint64)
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
    """(later row, earlier row, similarity) of every near pair that was proposed, sorted by the later row."""
    sets, hashed = word_sets(rows, same_target=same_target)
    numbers: dict[str, int] = {}
    people = np.array([numbers.setdefault(one.contributor_id, len(numbers)) for one in rows], dtype=np.int64)
    targets: dict[str, int] = {}
    groups = np.zeros(len(rows), dtype=np.uint64)
    if same_target:
        names = [targets.setdefault(normalise(one.row.target), len(targets)) for one in rows]
        groups = np.array(names, dtype=np.uint64)
    matrix, found = sets.matrix(len(hashed)), []
    for keys in band_keys(sets, hashed, groups, band_rows(threshold)):
        later, earlier = _in_same_bucket(keys)
        apart = (people[later] != people[earlier]) & (groups[later] == groups[earlier])
        later, earlier = later[apart], earlier[apart]
        near = jaccard(matrix, matrix, sets.sizes, sets.sizes, later, earlier) >= threshold
        found.append(later[near] * len(rows) + earlier[near])
    pairs = distinct(concatenated(found))
    later, earlier = pairs // max(1, len(rows)), pairs % max(1, len(rows))
    return later, earlier, jaccard(matrix, matrix, sets.sizes, sets.sizes, later, earlier)


def _in_same_bucket(keys: NDArray[np.uint64]) -> tuple[Ids, Ids]:
    """(later, earlier) positions with equal keys: each with the bucket's first ones and those just before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(keys) else np.zeros(0, int)
    first = np.repeat(starts, np.diff(np.concatenate([starts, [len(keys)]])))
    place = np.arange(len(keys))
    pairs = []
    for step in range(1, NEIGHBOURS + 1):
        before = np.flatnonzero(place - step >= first)
        pairs.append(before * len(keys) + before - step)
        from_start = np.flatnonzero(place - NEIGHBOURS > first + step - 1)
        pairs.append(from_start * len(keys) + first[from_start] + step - 1)
    unique = distinct(concatenated(pairs))
    return order[unique // max(1, len(keys))], order[unique % max(1, len(keys))]


def _runs(values: Ids) -> Iterator[tuple[int, int]]:
    """(start, end) of every run of equal values."""
    if len(values):
        edges = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]])).tolist()
        yield from pairwise(edges)
