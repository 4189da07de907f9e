"""Many small sets as one flat array: sizes, intersections, similarities and equal keys without a Python loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.uint64)
PAIRS = 200_000
"""Pairs compared at a time: bounds memory."""
NEIGHBOURS = 4
"""In a crowded bucket a row is compared with so many of its first rows and of those just before it."""


@dataclass(frozen=True)
class Sets:
    """Set i holds `items[bounds[i] : bounds[i + 1]]`, each once; items are small non-negative numbers."""

    items: Ids
    bounds: Ids

    @property
    def sizes(self) -> Ids:
        """How many items each set has."""
        return np.diff(self.bounds)

    def of_item(self) -> Ids:
        """For each item the set that it is in."""
        return np.repeat(np.arange(len(self.bounds) - 1), self.sizes)

    def matrix(self, width: int) -> Any:
        """Sparse (sets, width) with a 1 for each item; items from `width` on are left out."""
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self.items), dtype=np.int32)
        if not len(self.items) or self.items.max() < width:
            return csr_matrix((ones, self.items, self.bounds), shape=(len(self.bounds) - 1, width))
        inside = self.items < width
        bounds = np.concatenate([[0], np.cumsum(inside)])[self.bounds]
        return csr_matrix((ones[inside], self.items[inside], bounds), shape=(len(self.bounds) - 1, width))


def from_pairs(owners: Ids, items: Ids, count: int) -> Sets:
    """Sets 0 to `count` − 1 from (owner, item) pairs, each pair perhaps several times."""
    if not len(owners):
        return Sets(np.zeros(0, dtype=np.int64), np.zeros(count + 1, dtype=np.int64))
    span = int(items.max()) + 1
    keys = distinct(owners * span + items)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(keys // span, minlength=count))])
    return Sets(keys % span, bounds)


def distinct(keys: NDArray[Number]) -> NDArray[Number]:
    """Each value once, in order: for many numbers faster than numpy's own, which hashes them."""
    ordered = np.sort(keys)
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def jaccard(left: Any, right: Any, left_sizes: Ids, right_sizes: Ids, a: Ids, b: Ids) -> NDArray[np.float64]:
    """|A ∩ B| / (|A| + |B| − |A ∩ B|) for each pair (a[i] of `left`, b[i] of `right`), from `Sets.matrix`."""
    similarities = [np.zeros(0)]
    for start in range(0, len(a), PAIRS):
        some, other = a[start : start + PAIRS], b[start : start + PAIRS]
        common = np.asarray(left[some].multiply(right[other]).sum(axis=1)).ravel().astype(np.float64)
        similarities.append(common / (left_sizes[some] + right_sizes[other] - common))
    return np.concatenate(similarities)


def best(a: Ids, b: Ids, similarity: NDArray[np.float64], count: int) -> tuple[Ids, NDArray[np.float64]]:
    """For each of `count` lefts its most similar right and the similarity (0 without one); ties to the first."""
    index, value = np.zeros(count, dtype=np.int64), np.zeros(count)
    # The last write wins: worst first, and of equals the later right first.
    order = np.lexsort((-b, similarity))
    index[a[order]], value[a[order]] = b[order], similarity[order]
    return index, value


def concatenated(parts: Sequence[Ids]) -> Ids:
    """The parts in one array; empty for none."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def in_same_bucket(keys: NDArray[np.uint64]) -> tuple[Ids, Ids]:
    """(later, earlier) positions with equal keys: each with its bucket's first NEIGHBOURS and those just before it."""
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
