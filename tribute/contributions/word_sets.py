"""How much two texts have in common: Jaccard similarity of their sets of words, each weighted by how rare it is.

    s(A, B) = Σ w over A ∩ B ÷ Σ w over A ∪ B,    w = log(texts ÷ texts with the word)

Words are those of the normal form, without punctuation or order. Words that very many texts have weigh nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.normal_form import words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COMMON, RARE, KNOWN = 0.1, 20, 2000
"""Words in more than this part of the texts, and in more than RARE texts, or in more than KNOWN, weigh nothing."""
LEAST = 0.1
"""Less in common is nothing in common."""
COVERS, FIRST = 256, 8
"""Texts that may cover another one, those with most in common; and of these, how many are tried as one of two."""
DIGITS = 9
"""Decimals of a part of a text's weight."""
CHUNK = 500
"""Texts that are compared with all others at a time: bounds memory."""


class WordSets:
    """The sets of words of texts, known by their places."""

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix, diags

        numbers: dict[str, int] = {}
        sequences = [list({numbers.setdefault(word, len(numbers)): None for word in words(text)}) for text in texts]
        bounds = np.cumsum([0, *map(len, sequences)])
        items = np.array([item for sequence in sequences for item in sequence], dtype=np.int64)
        has = csr_matrix((np.ones(len(items)), items, bounds), shape=(len(texts), len(numbers)))
        holders = np.asarray(has.sum(0)).ravel()
        weighs = holders <= min(max(COMMON * len(texts), RARE), KNOWN)
        has = (has @ diags(weighs.astype(np.float64))).tocsr()
        has.eliminate_zeros()
        self._holders = has.T.tocsr()
        self._weighted = (has @ diags(np.log(len(texts) / np.maximum(holders, 1)))).tocsr()
        self._weight = np.asarray(self._weighted.sum(1)).ravel()
        self.count = len(texts)

    def two_nearest(
        self, places: NDArray[np.int64], allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """For each place the most similar of the `allowed` [texts], its similarity, and that of the second, else 0."""
        row, other, similarity = self._pairs(places)
        kept = allowed[other]
        row, other, similarity = row[kept], other[kept], similarity[kept]
        order = np.lexsort((other, -similarity, row))
        ordered = row[order]
        rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        nearest, figures = np.full(len(places), -1), np.zeros((2, len(places)))
        nearest[ordered[rank == 0]] = other[order[rank == 0]]
        for place in (0, 1):
            figures[place, ordered[rank == place]] = similarity[order[rank == place]]
        return nearest, figures[0], figures[1]

    def two_covers(
        self, places: NDArray[np.int64], allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """For each place the two `allowed` [texts] that together have most of its words, by weight, [places, 2].

        And the part of its weight that they have, and the part that the best two of all others have. A text that one
        covers as well as two stands twice; −1 and 0 where nothing is in common.
        """
        common = (self._weighted[places] @ self._holders).tocsr()
        common.sort_indices()
        pairs, parts = np.full((len(places), 2), -1), np.zeros((2, len(places)))
        column = np.full(self.count, -1)
        for number, place in enumerate(places):
            texts, shared = _row(common, number)
            texts = texts[np.argsort(-shared * allowed[texts], kind="stable")[:COVERS]]
            texts = texts[allowed[texts]]
            own, weights = _row(self._weighted, place)
            column[texts] = np.arange(len(texts))
            has = np.zeros((len(texts), len(own)))
            for rank, word in enumerate(own):
                holders = column[_row(self._holders, word)[0]]
                has[holders[holders >= 0], rank] = 1
            column[texts] = -1
            for rank in range(2 if len(texts) else 0):
                best, parts[rank, number] = _best_two(has, weights / self._weight[place])
                if rank == 0:
                    pairs[number] = texts[best]
                has[best] = 0
        return pairs, parts[0], parts[1]

    def nearest_earlier(self) -> NDArray[np.float64]:
        """The similarity of each text with the most similar one before it, 0 for the first."""
        best = np.zeros(self.count)
        for start in range(0, self.count, CHUNK):
            places = np.arange(start, min(start + CHUNK, self.count))
            row, other, similarity = self._pairs(places)
            earlier = other < places[row]
            np.maximum.at(best, places[row[earlier]], similarity[earlier])
        return best

    def _pairs(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """(position in `places`, text, similarity) of every pair that is at least LEAST similar."""
        common = (self._weighted[places] @ self._holders).tocsr()
        row = np.repeat(np.arange(len(places)), np.diff(common.indptr))
        union = self._weight[places[row]] + self._weight[common.indices] - common.data
        near = common.data >= LEAST * union
        return row[near], common.indices[near].astype(np.int64), common.data[near] / np.maximum(union[near], 1e-12)


def _row(matrix: "csr_matrix", number: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Columns and values of a row, as views: indexing the matrix costs ten times the sums that need it."""
    inside = slice(*matrix.indptr[number : number + 2])
    return matrix.indices[inside], matrix.data[inside]


def _best_two(has: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[list[int], float]:
    """The two rows of `has` [texts, words] that together have most, and the weight of what they have.

    Of equal ones the first: sums are rounded, so no processor's order of adding decides.
    """
    covered = (has @ weights).round(DIGITS)
    first = np.argsort(-covered, kind="stable")[:FIRST]
    left = (has @ ((1 - has[first]) * weights).T).round(DIGITS)
    best = int((covered[first] + left.max(0)).argmax())
    second = int(left[:, best].argmax()) if left[:, best].any() else int(first[best])
    return [int(first[best]), second], float(covered[first[best]] + left[:, best].max())
