"""Exact Shapley values: of a few players by all subsets, of a classifier's neighbours in closed form.

A chunk's credit is its Shapley value in the game whose value is the log-probability of the fixed answer, given the
chunks of a subset. So two copies share one credit, a chunk that changes nothing has none, and the credits add up to
what all chunks together changed.
"""

from collections.abc import Callable, Sequence
from math import factorial

import numpy as np

MOST_PLAYERS = 6
"""2⁶ = 64 subsets: what other methods spend on random ablations."""


def shapley(value: Callable[[Sequence[int]], float], players: int) -> np.ndarray:
    """Shapley values, float64 [players]; `value` is called once with every subset, as ascending numbers."""
    subsets = np.arange(1 << players)
    inside = (subsets[:, None] >> np.arange(players)) & 1
    values = np.array([value(np.flatnonzero(members).tolist()) for members in inside], dtype=np.float64)
    sizes = inside.sum(1)
    weights = np.array([factorial(size) * factorial(players - size - 1) for size in range(players)], dtype=np.float64)
    credits = np.zeros(players)
    for player in range(players):
        without = subsets[inside[:, player] == 0]
        added = values[without | (1 << player)] - values[without]
        credits[player] = weights[sizes[without]] @ added / factorial(players)
    return credits


def neighbour_shapley(payoffs: Sequence[float], votes: int) -> np.ndarray:
    """KNN-Shapley (Jia et al., VLDB 2019, theorem 1): what each neighbour adds, float64 [neighbours], nearest first.

    The value of a subset is the mean payoff of its `votes` nearest, where one that is missing counts 0.
    """
    count = len(payoffs)
    credits = np.zeros(count)
    for place in range(count, 0, -1):
        part = min(votes, place) / (votes * place)
        if place == count:
            credits[place - 1] = payoffs[place - 1] * part
        else:
            credits[place - 1] = credits[place] + (payoffs[place - 1] - payoffs[place]) * part
    return credits
