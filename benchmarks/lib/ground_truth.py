"""The truth of an arena by brute force, and what of it was collected. See fidelity.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb

import numpy as np

from lib.arena import CONFIG, Arena
from tribute.attribution.retraining import designs
from tribute.attribution.shares.shares import clipped_shares

REPETITIONS = {"clinc150": 6, "docs": 8, "tldr": 6}
"""As many as bring the standard error of every share below 0.015."""
EQUAL_REPETITIONS = 4
"""The most of an arena of equal names."""
SEEDS, CREDIT_SEEDS = 3, 6
SUBSETS, REMOVED = 100, 0.2
AVERAGED = range(2000, 2016)
"""The probe's repetitions that say what it says of draws on average."""


def rate_design(arena: Arena, repetition: int) -> list[designs.RateRun]:
    """One repetition; seeds take turns."""
    return designs.rate_design(arena.owner, repetition, range(SEEDS))


def rate_runs(arena: Arena, repetition: int) -> list[designs.Run]:
    """Its runs."""
    return [one.run for one in rate_design(arena, repetition)]


def removals(arena: Arena, seed: int) -> list[designs.Run]:
    """The same random subsets for every seed."""
    return designs.removals(len(arena), REMOVED, SUBSETS, seed)


def coalitions(arena: Arena, seed: int) -> list[designs.Run]:
    """All coalitions, in the order of their bit masks."""
    masks = range(2 ** len(arena.names))
    return [designs.Run((mask >> arena.owner & 1).astype(bool), seed) for mask in masks]


@dataclass(frozen=True)
class Truth:
    """Split-neutral credits from repetitions of the rate design."""

    measured: np.ndarray
    """Effects in parts of the total that their own seeds reached, [repetitions, contributors]."""
    drawn: np.ndarray
    """What the probe says of the same draws, in parts of its own total, [repetitions, contributors]."""
    average: np.ndarray
    """What it says on average, [contributors]; by other draws than those that its own estimate is made of."""
    total: float
    """U(all) − U(none), nats."""

    @property
    def effects(self) -> np.ndarray:
        """Less the luck of the draw, in parts of the total, [repetitions, contributors]."""
        return self.less_luck(self.average)

    def less_luck(self, average: np.ndarray) -> np.ndarray:
        """The same with another average of the probe, [contributors]."""
        return self.measured - (self.drawn - average)

    @property
    def repetitions(self) -> np.ndarray:
        """Each repetition scaled to the total, nats [repetitions, contributors]."""
        return self.effects / self.effects.sum(1, keepdims=True) * self.total

    def shares(self, without: tuple[int, ...] = ()) -> np.ndarray:
        """Shares from all repetitions but those."""
        return clipped_shares(np.delete(self.repetitions, without, axis=0).mean(0))

    def errors(self) -> np.ndarray:
        """Standard error of each share, by the jackknife over repetitions."""
        count = len(self.effects)
        left = np.stack([self.shares((number,)) for number in range(count)])
        return np.asarray(np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0)))


def mean_total(arena: Arena) -> float:
    """The mean over seeds."""
    return float(np.mean([arena.gain(seed) for seed in range(SEEDS)]))


def done(arena: Arena, runs: list[designs.Run]) -> bool:
    """Whether all of these were collected."""
    return all(arena.has(run.kept, run.seed) for run in runs)


def repetitions(arena: Arena) -> range:
    """Those that its truth may be made of."""
    return range(REPETITIONS.get(arena.name, EQUAL_REPETITIONS))


def complete(arena: Arena) -> list[int]:
    """Those of them that were collected."""
    return [number for number in repetitions(arena) if done(arena, rate_runs(arena, number))]


def truth(arena: Arena) -> Truth:
    """From the repetitions that were collected."""
    numbers = complete(arena)
    effects = np.stack([rate_effects(arena, rate_design(arena, number)) for number in numbers])
    average = arena.drawn(AVERAGED).mean(0)
    drawn = arena.drawn(repetitions(arena))[numbers]
    return Truth(effects, drawn / average.sum(), average / average.sum(), mean_total(arena))


def choices(items: Sequence[int], count: int, most: int = 60) -> list[tuple[int, ...]]:
    """Combinations of `count` items: all of them, or the same `most` at random."""
    found = list(combinations(items, count))
    chosen = np.random.Generator(np.random.Philox([len(items), count])).permutation(len(found))[:most]
    return [found[one] for one in sorted(chosen)]


def rate_effects(arena: Arena, design: list[designs.RateRun]) -> np.ndarray:
    """What a repetition measured, in parts of the total; each run's own seed says what that is, as in evidence.py."""
    utilities = [arena.utility(one.run.kept, one.run.seed) / arena.gain(one.run.seed) for one in design]
    return designs.rate_effects(design, np.array(utilities))


@cache
def in_run(arena: Arena) -> np.ndarray:
    """In-run credit of every seed, scaled to its own total, [seeds, rows]."""
    witnesses = [arena.in_run(seed) for seed in range(CREDIT_SEEDS)]
    return np.stack([witness.credit / witness.credit.sum() * witness.measured for witness in witnesses])


def by_contributor(owner: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Row scores [..., rows] summed by the rows' owners [rows], [..., contributors]."""
    return np.asarray(scores @ (owner[:, None] == np.arange(owner.max() + 1)))


def exact_shapley(arena: Arena, seed: int) -> np.ndarray | None:
    """Contributors as players, all coalitions; None where they are not all there."""
    runs, names = coalitions(arena, seed), len(arena.names)
    if not done(arena, runs):
        return None
    utility = np.array([arena.utility(run.kept, seed) for run in runs])
    values = np.zeros(names)
    for one in range(names):
        for mask in range(2**names):
            if not mask >> one & 1:
                weight = 1 / (names * comb(names - 1, mask.bit_count()))
                values[one] += weight * (utility[mask | 1 << one] - utility[mask])
    return values


def two_n(arena: Arena, seed: int) -> np.ndarray:
    """Shapley values from every contributor alone and every one left out, [contributors]."""
    alone, left = designs.singles_and_leave_outs(arena.owner, seed)
    everybody, nobody = (arena.utility(kept, seed) for kept in (arena.all_rows(), ~arena.all_rows()))
    first = np.array([arena.utility(run.kept, seed) for run in alone]) - nobody
    last = everybody - np.array([arena.utility(run.kept, seed) for run in left])
    return designs.shapley_of_2n(first, last, everybody - nobody)


def trained_rows(arena: Arena) -> int:
    """Rows that a training sees, over all epochs."""
    return len(arena) * CONFIG.epochs
