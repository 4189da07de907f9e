"""Stand-ins for the fine-tune: models that are trained on any rows in milliseconds, and every row's credit by one.

A stand-in is trained on *weights* of rows: 1 is in, 0 is out, and what it learns is smooth in between. Rows come in
along random orders, in blocks that grow. While a block comes in, its weights w go from 0 to 1 together, and row i of
it earns

    ∫₀¹ ∂U/∂w_i (rows before at 1, block at w, rest at 0) dw

so the credits of an order telescope to U(all) − U(none), quadrature aside, whose rest the block's rows share evenly.
Their mean over orders goes to the Shapley value of rows as blocks get small (Shapley 1953; Castro et al. 2009). An
order and its reverse are one *draw* (antithetic). Rows are the players: nobody's name enters.

With the weights of all rows alike, in place of orders, no draw is needed (`path_credits`; Aumann & Shapley 1974), but
then every label is known a little from the start, and who teaches what others teach is overrated.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Protocol

import numpy as np
from sklearn.cluster import KMeans

from tribute.progress import Progress, ignore

NODES, POWER = 8, 4
"""Gauss–Legendre nodes of u where t = u^POWER: the first rows teach most. The sum misses the gain by less than 1e-4 in
the arenas of benchmarks/fidelity.py."""

ENDS = (1 / 64, 1 / 16, 1 / 4, 9 / 16, 1.0)
"""Where each block of an order ends."""
INSIDE, DRAWS = 2, 8
"""Gauss–Legendre nodes in a block; draws."""
CLUSTERS = 31
"""Groups of rows of like content."""
STRAY = 1e-3
"""In mean squared distances of rows from their centres: far above float32's rounding, far below what lies between two
centres."""


class StandIn(Protocol):
    """What shares need of a stand-in."""

    @property
    def content(self) -> np.ndarray:
        """Features of every training row, in which rows of like content lie close, float [rows, features]."""

    def losses(self, weights: np.ndarray) -> np.ndarray:
        """Loss of every evaluation row after training on rows with these `weights` [rows], nats, [evaluation rows]."""

    def slopes(self, weights: np.ndarray, readings: np.ndarray) -> np.ndarray:
        """∂/∂w of −Σ_e readings[e, c]·loss_e at `weights` [rows], nats [columns, rows].

        `readings` [evaluation rows, columns] say which means of the losses are looked at.
        """


def first_enough(gained: Callable[[float], float], gain: float, lengths: np.ndarray) -> tuple[float, bool]:
    """The first of the `lengths` that gains enough, nats; where none does, the one that gains most, and False."""
    best = (-np.inf, 0.0)
    for length in map(float, lengths):
        reached = gained(length)
        if reached >= gain:
            return length, True
        best = max(best, (reached, length))
    return best[1], False


def drawn_credits(stand_in: StandIn, rows: int, reading: np.ndarray, progress: Progress = ignore) -> np.ndarray:
    """Every row's credit along random orders, nats [DRAWS, rows]; each draw sums to what the stand-in gained.

    `reading` [evaluation rows]: which mean of the losses is looked at. Draws are of positions, so rows have to come in
    an order that no name decides.
    """
    chance = np.random.Generator(np.random.Philox(9))
    draws, nothing = np.zeros((DRAWS, rows)), float(reading @ stand_in.losses(np.zeros(rows)))
    for number in range(DRAWS):
        order = chance.permutation(rows)
        draws[number] = sum(_along(stand_in, one, reading, nothing) for one in (order, order[::-1])) / 2
        progress(number + 1, DRAWS)
    return draws


def _along(stand_in: StandIn, order: np.ndarray, reading: np.ndarray, before: float) -> np.ndarray:
    """`before`: the loss without rows, nats."""
    places, weights = np.polynomial.legendre.leggauss(INSIDE)
    credit, inside = np.zeros(len(order)), np.zeros(len(order))
    ends = [round(end * len(order)) for end in ENDS]
    for start, end in pairwise([0, *ends]):
        block = order[start:end]
        if not len(block):
            continue
        for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
            inside[block] = place
            credit[block] += weight * stand_in.slopes(inside, reading[:, None])[0, block]
        inside[block] = 1
        after = float(reading @ stand_in.losses(inside))
        credit[block] += (before - after - credit[block].sum()) / len(block)
        before = after
    return credit


def path_credits(stand_in: StandIn, rows: int, readings: np.ndarray, progress: Progress = ignore) -> np.ndarray:
    """Every row's credit for each reading along all weights alike, nats [columns, rows]."""
    total = np.zeros((readings.shape[1], rows))
    for number, (place, weight) in enumerate(path_nodes(), 1):
        total += weight * stand_in.slopes(np.full(rows, place), readings)
        progress(number, NODES)
    return total


def path_nodes() -> Iterator[tuple[float, float]]:
    """Where the weights of all rows stand along the way from 0 to 1, and what each place counts for."""
    places, weights = np.polynomial.legendre.leggauss(NODES)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        yield place**POWER, weight * POWER * place ** (POWER - 1)


def content_clusters(stand_in: StandIn, count: int) -> np.ndarray:
    """Groups of rows of like content, int [rows], by k-means; rows have to come in an order that no name decides."""
    content = stand_in.content
    count = min(count, len(np.unique(content, axis=0)))
    # Without a tolerance the search ends where no row changes its cluster: see `are_settled`.
    return np.asarray(KMeans(count, n_init=3, tol=0, random_state=0).fit_predict(content), dtype=np.int64)


def are_settled(stand_in: StandIn, clusters: np.ndarray) -> bool:
    """Whether every row lies as near to the centre of its own cluster, int [rows], as to any other; STRAY is let pass.

    So k-means ends on every machine, though a row at a boundary may end on either side of it.
    """
    content = stand_in.content.astype(float)
    inside = (clusters == np.unique(clusters)[:, None]).astype(float)
    centres = inside @ content / inside.sum(1, keepdims=True)
    distances = (content**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * content @ centres.T
    own = (distances * inside.T).sum(1)
    return bool((own - distances.min(1)).max() <= STRAY * own.mean())
