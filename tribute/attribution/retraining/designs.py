"""Which subsets of rows to retrain on, so that shares and effects can be read off the results.

*Rate designs* estimate shares with rows as players (Aumann & Shapley 1974; Billera & Heath 1982): along inclusion
rates τ the share of a group of rows is ∫₀¹ ∂U/∂τ_k at τ = (t, …, t) dt. Groups are made of rows, whoever owns them. A
draw divides every group's rows into random parts, one per stage. In stage m the earlier parts of all groups are in, and
of each group the m-th part is in or out by a column of a Hadamard matrix, so every run says something about each. A
part's main effect is its average marginal at that rate, and its sum over the stages the share. Seed and batches are
the same for all runs of a draw (common random numbers), and every second draw turns all signs (fold-over), so that
interactions of two groups, with which main effects are aliased, cancel: over two repetitions where one draws a stage
once. The parts grow quadratically, since the first rows teach most; which rows came first is by far the largest
noise, and trainings on few rows are cheap, so a repetition draws the early stages more often than the late ones
(Neyman allocation).

*Effects* take contributors in or out as wholes: every one alone and every one left out (the 2n design).

Knows nothing of how a training is run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import hadamard

ENDS = (1 / 16, 1 / 4, 9 / 16, 1.0)
"""The inclusion rate at which each stage ends."""
DRAWS = (10, 4, 1, 1)
"""How often a repetition draws each stage. Measured in two arenas of benchmarks/fidelity.py, the standard deviations
of a stage's effects, less luck, are about as 6.5 : 3.4 : 1.8 : 1, its trainings cost as 1 : 5 : 13 : 25."""
PULL = (2.0, 0.8, 0.4, 0.2)
"""By how much a stage's effect grows with the in-run credit of its rows; measured there too. First rows teach most.
Used where no stand-in learned enough."""


@dataclass(frozen=True)
class Run:
    """One retraining: which rows are kept, bool [rows], and the seed."""

    kept: np.ndarray
    seed: int


@dataclass(frozen=True)
class RateRun:
    """A run of a rate design: its stage, and for each factor whether the stage's part is in, ±1 [factors]."""

    run: Run
    stage: int
    signs: np.ndarray
    part: np.ndarray
    """The rows that the signs put in or leave out, bool [rows]."""


def rate_design(group: np.ndarray, repetition: int, seeds: Sequence[int]) -> list[RateRun]:
    """One repetition; its draws take the seeds in turn. `group` [rows] is each row's factor."""
    runs = []
    for stage, draws in enumerate(DRAWS):
        for draw in range(repetition * draws, (repetition + 1) * draws):
            generator = np.random.Generator(np.random.Philox([draw, 2]))
            stages = _parts(group, generator)
            part = stages == stage
            for row in _signs(int(group.max()) + 1, generator) * (1 if (stage + draw) % 2 == 0 else -1):
                kept = (stages < stage) | (part & (row[group] > 0))
                runs.append(RateRun(Run(kept, seeds[draw % len(seeds)]), stage, row, part))
    return runs


def rate_effects(runs: Sequence[RateRun], utilities: np.ndarray) -> np.ndarray:
    """Each factor's estimate of its share in nats, [..., factors], from one repetition's utilities [runs, ...]."""
    signs = np.stack([run.signs for run in runs])
    stage = np.array([run.stage for run in runs])
    total: np.ndarray = np.zeros(signs.shape[1])
    for level in np.unique(stage):
        chosen = stage == level
        total = total + 2 * utilities[chosen].T @ signs[chosen] / chosen.sum()
    return total


def control_variate(runs: Sequence[RateRun], credit: np.ndarray) -> np.ndarray:
    """What one repetition's effects owe to the draw, by row: sum it by factor and take it off, nats [rows].

    A control variate (Owen 2013, ch. 8): a stage's part that holds more in-run `credit` [rows] than such a part does
    on average has a larger effect, by PULL for each nat. It is 0 on average over draws whatever the credit is worth,
    so an estimate that was right on average stays so.
    """
    widths = np.diff(ENDS, prepend=0)
    drawn = [np.mean([run.part for run in runs if run.stage == stage], axis=0) for stage in range(len(DRAWS))]
    return np.asarray(np.array(PULL) @ (np.stack(drawn) - widths[:, None]) * credit)


def cost(runs: Sequence[Run]) -> float:
    """What the runs cost, in trainings on all rows; a run met twice costs once."""
    distinct = {(run.kept.tobytes(), run.seed): run.kept.mean() for run in runs}
    return float(sum(distinct.values()))


def singles_and_leave_outs(owner: np.ndarray, seed: int) -> tuple[list[Run], list[Run]]:
    """The 2n design: every contributor alone, and every contributor left out."""
    names = range(int(owner.max()) + 1)
    return [Run(owner == name, seed) for name in names], [Run(owner != name, seed) for name in names]


def shapley_of_2n(alone: np.ndarray, left_out: np.ndarray, total: float) -> np.ndarray:
    """Shapley values with contributors as players from the 2n design, [contributors], nats.

    `alone` is U({k}) − U(∅), `left_out` U(all) − U(all but k), `total` U(all) − U(∅). Least squares of U on membership
    and on a curve of the coalition's size that is 0 for nobody and for all: the mean of both ends, and what is
    missing to the total in equal parts.
    """
    middle = (alone + left_out) / 2
    return np.asarray(middle + (total - middle.sum()) / len(middle))


def removals(rows: int, part: float, count: int, seed: int) -> list[Run]:
    """`count` random subsets with the `part` of all rows removed, for the linear datamodelling score."""
    generator = np.random.Generator(np.random.Philox([count, 3]))
    removed = round(part * rows)
    runs = []
    for _ in range(count):
        kept = np.ones(rows, dtype=bool)
        kept[generator.permutation(rows)[:removed]] = False
        runs.append(Run(kept, seed))
    return runs


def _parts(group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The stage in which each row comes in, int [rows]: every group's rows in random order."""
    part = np.zeros(len(group), dtype=int)
    for factor in np.unique(group):
        rows = generator.permutation(np.flatnonzero(group == factor))
        # One random offset for all rows keeps every part's size within one row of its expectation.
        part[rows] = np.searchsorted(ENDS, (np.arange(len(rows)) + generator.random()) / len(rows), side="right")
    return part


def _signs(factors: int, generator: np.random.Generator) -> np.ndarray:
    """±1 [runs, factors]: random columns of the smallest Hadamard matrix with a column for each factor."""
    order = 8
    while order <= factors:
        order *= 2
    columns = 1 + generator.permutation(order - 1)[:factors]
    matrix: np.ndarray = hadamard(order)[:, columns]
    return matrix
