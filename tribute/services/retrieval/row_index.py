"""Rows that may be retrieved, found by their words and by their meaning. Knows neither registry nor models."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tribute.services.retrieval.lexical import Bm25
from tribute.services.retrieval.shapley import MOST_PLAYERS

if TYPE_CHECKING:
    import pandas as pd

RANK = 60
"""Cormack et al. 2009: a row's score is the sum of 1 / (60 + rank) over both orders."""


@dataclass(frozen=True)
class Hit:
    """A retrieved row. `score` is of the fused order, and says nothing about the answer."""

    row: str
    contributor: str
    licence: str
    text: str
    target: str
    score: float

    @property
    def content(self) -> str:
        """What of it is quoted."""
        return f"{self.text}\n{self.target}" if self.target else self.text


class RowIndex:
    """The rows of one released version that may be retrieved now.

    `rows` has `row_id, contribution_id, contributor_id, text, target`, `vectors` their unit-length embeddings, float32
    [rows, width], `licences` contribution → licence.
    """

    def __init__(self, rows: "pd.DataFrame", vectors: np.ndarray, licences: dict[str, str]) -> None:
        self.rows, self.vectors, self.licences = rows, vectors, licences

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _lexical(self) -> Bm25:
        return Bm25([f"{row.text}\n{row.target}" for row in self.rows.itertuples()])

    def only(self, licences: dict[str, str]) -> "RowIndex":
        """The index without the contributions that are not among these."""
        kept = self.rows["contribution_id"].isin(list(licences)).to_numpy()
        return RowIndex(self.rows[kept].reset_index(drop=True), self.vectors[kept], licences)

    def search(self, query: str, vector: np.ndarray, most: int) -> list[Hit]:
        """At most so many rows by fused ranks, best first; `vector` is the query's unit-length embedding [width]."""
        if not len(self):
            return []
        words, meaning = self._lexical.scores(query), self.vectors @ vector
        fused = _reciprocal_ranks(meaning) + np.where(words > 0, _reciprocal_ranks(words), 0)
        best = np.argsort(-fused, kind="stable")[:most]
        return [self._hit(int(place), float(fused[place])) for place in best]

    def _hit(self, place: int, score: float) -> Hit:
        row = self.rows.iloc[place]
        licence = self.licences[row.contribution_id]
        return Hit(row.row_id, row.contributor_id, licence, row.text, row.target, score)


def few_players(hits: Sequence[Hit]) -> list[Hit]:
    """The hits but for those of a seventh contributor and on, where there are more than six of both."""
    if len(hits) <= MOST_PLAYERS:
        return list(hits)
    first: Collection[str] = list(dict.fromkeys(hit.contributor for hit in hits))[:MOST_PLAYERS]
    return [hit for hit in hits if hit.contributor in first]


def _reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return 1 / (RANK + ranks)
