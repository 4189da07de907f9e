"""Stand-ins for the fine-tune: models that are trained on any rows in milliseconds, and every row's credit by one.

A stand-in is trained on *weights* of rows: 1 is in, 0 is out, and what it learns is smooth in between. So its credit
needs no draws: along the straight way from no rows to all of them, at the weights t for every row, a row earns

    φ_i = ∫₀¹ ∂U/∂w_i (t, …, t) dt,    Σ_i φ_i = U(all) − U(none)

(Aumann & Shapley 1974; Billera & Heath 1982). Rows are the players: nobody's name enters, and the sum is what the
stand-in gained, but for the quadrature, which its artifact states.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from tribute.progress import Progress, ignore

NODES, POWER = 8, 4
"""Gauss–Legendre nodes of u where t = u^POWER: the first rows teach most. The sum misses the gain by less than 1e-4 in
the arenas of benchmarks/fidelity.py."""


class StandIn(Protocol):
    """What shares need of a stand-in."""

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


def path_credits(stand_in: StandIn, rows: int, readings: np.ndarray, progress: Progress = ignore) -> np.ndarray:
    """Every row's credit for each reading, nats [columns, rows]."""
    places, weights = np.polynomial.legendre.leggauss(NODES)
    total = np.zeros((readings.shape[1], rows))
    for number, (place, weight) in enumerate(zip((places + 1) / 2, weights / 2, strict=True), 1):
        slopes = stand_in.slopes(np.full(rows, place**POWER), readings)
        total += weight * POWER * place ** (POWER - 1) * slopes
        progress(number, NODES)
    return total
