"""Who of the retrieved rows moved a fixed answer. Knows no models: it is given what an answer is worth.

Credit is never by relevance and never by citation, both of which are easy to plant for.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tribute.services.retrieval.row_index import Hit
from tribute.services.retrieval.shapley import MOST_PLAYERS, neighbour_shapley, shapley

VOTES = 5
"""Neighbours that vote on a label."""
MIXED = 0.5
"""What the vote counts beside the model where all neighbours are there."""


@dataclass(frozen=True)
class ChunkCredit:
    """What a row, or the rows of one contributor, added to the answer."""

    rows: tuple[str, ...]
    contributor: str
    credit: float
    """Nats of the answer's log-probability; of a label, its probability."""
    nats: float | None = None
    """Of a label: the part of what all hits added to its log-probability."""


def players(hits: Sequence[Hit]) -> list[list[int]]:
    """The players among the hits, as their numbers: each by itself, or, where more than six, one a contributor."""
    if len(hits) <= MOST_PLAYERS:
        return [[number] for number in range(len(hits))]
    groups = dict[str, list[int]]()
    for number, hit in enumerate(hits):
        groups.setdefault(hit.contributor, []).append(number)
    return list(groups.values())


def chunk_credits(hits: Sequence[Hit], value: Callable[[Sequence[int]], float]) -> list[ChunkCredit]:
    """Exact credits, which add up to the value of all hits less that of none.

    `value` is what the fixed answer is worth given some of the hits (their numbers, ascending), nats. It is asked once
    for every set of players, at most 64 times.
    """
    groups = players(hits)

    def worth(chosen: Sequence[int]) -> float:
        return value(sorted(number for player in chosen for number in groups[player]))

    credits = shapley(worth, len(groups))
    return [_of(hits, group, credit) for group, credit in zip(groups, credits.tolist(), strict=True)]


def vote(hits: Sequence[Hit], labels: Sequence[str], probabilities: Sequence[float]) -> list[float]:
    """A model's probabilities of the labels, mixed with the vote of the nearest hits; a vote missing is the model's."""
    nearest = [hit.target for hit in hits[:VOTES]]
    rest = 1 - MIXED * len(nearest) / VOTES
    return [
        rest * probability + MIXED * nearest.count(label) / VOTES
        for label, probability in zip(labels, probabilities, strict=True)
    ]


def neighbour_credits(hits: Sequence[Hit], label: str, probability: float) -> list[ChunkCredit]:
    """Exact credits of the hits for a label that the model gives `probability`.

    They add up to the label's probability by `vote` less that.
    """
    payoffs = [MIXED * ((hit.target == label) - probability) for hit in hits]
    credits = neighbour_shapley(payoffs, VOTES)
    added = float(credits.sum())
    # Zero where the probability is the same with and without; a probability of 0 has no logarithm.
    gained = math.log1p(added / probability) if added and probability > 0 else 0.0
    scale = gained / added if added else 0.0
    credited = [_of(hits, [number], credit) for number, credit in enumerate(credits.tolist())]
    return [replace(each, nats=each.credit * scale) for each in credited]


def _of(hits: Sequence[Hit], group: Sequence[int], credit: float) -> ChunkCredit:
    return ChunkCredit(tuple(hits[number].row for number in group), hits[group[0]].contributor, credit)
