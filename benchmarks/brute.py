"""The truth of an arena by brute force, and how far each method is from it. See fidelity.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from arena import Arena

from tribute.attribution import designs, estimate, measures

REPETITIONS, SEEDS, CREDIT_SEEDS = 6, 3, 6
SUBSETS, REMOVED = 100, 0.2
IN_RUN_COST = 2.9
"""Trainings that one seed's in-run credit costs, its own training included: see docs/benchmarks/throughput.md."""


def rate_design(arena: Arena, repetition: int) -> list[designs.RateRun]:
    """One repetition; seeds take turns."""
    blocks = np.arange(len(arena.names))
    return designs.rate_design(arena.owner, blocks, repetition, range(SEEDS))


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
    """Split-neutral credits: one line a repetition, scaled to the measured total, nats [repetitions, contributors]."""

    repetitions: np.ndarray

    def shares(self, without: tuple[int, ...] = ()) -> np.ndarray:
        """Shares from all repetitions but those."""
        kept = [row for number, row in enumerate(self.repetitions) if number not in without]
        return measures.clipped_shares(np.mean(kept, axis=0))

    def errors(self) -> np.ndarray:
        """Standard error of each share, by the jackknife over repetitions."""
        count = len(self.repetitions)
        left = np.stack([self.shares((number,)) for number in range(count)])
        return np.asarray(np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0)))


def total(arena: Arena, seed: int) -> float:
    """U(all) − U(none)."""
    return arena.utility(arena.all_rows(), seed) - arena.utility(~arena.all_rows(), seed)


def mean_total(arena: Arena) -> float:
    """The mean over seeds."""
    return float(np.mean([total(arena, seed) for seed in range(SEEDS)]))


def done(arena: Arena, runs: list[designs.Run]) -> bool:
    """Whether all of these were collected."""
    return all(arena.has(run.kept, run.seed) for run in runs)


def truth(arena: Arena) -> Truth:
    """From the repetitions that were collected."""
    rows = []
    for repetition in range(REPETITIONS):
        design = rate_design(arena, repetition)
        if done(arena, [one.run for one in design]):
            utilities = np.array([arena.utility(one.run.kept, one.run.seed) for one in design])
            effects = designs.rate_effects(design, utilities)
            rows.append(effects * mean_total(arena) / effects.sum())
    return Truth(np.stack(rows))


def in_run(arena: Arena) -> np.ndarray:
    """In-run credit of every seed, scaled to its own total, [seeds, rows]."""
    found = [arena.credited(arena.all_rows(), seed)[1] for seed in range(CREDIT_SEEDS)]
    return np.stack([credit / credit.sum() * total(arena, seed) for seed, credit in enumerate(found)])


def by_contributor(arena: Arena, scores: np.ndarray) -> np.ndarray:
    """Row scores [..., rows] summed, [..., contributors]."""
    return np.asarray(scores @ (arena.owner[:, None] == np.arange(len(arena.names))))


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


@dataclass(frozen=True)
class Scored:
    """A method's distance to the truth: Σ|error| of shares, mean and standard deviation over independent tries."""

    name: str
    trainings: float
    error: float
    spread: float
    tries: int


def scored(name: str, trainings: float, tries: list[tuple[np.ndarray, np.ndarray]]) -> Scored:
    """From pairs of estimated shares and the truth that it may be held against."""
    errors = [float(np.abs(found - true).sum()) for found, true in tries]
    return Scored(name, trainings, float(np.mean(errors)), float(np.std(errors)), len(errors))


def methods(arena: Arena, found: Truth) -> Iterator[Scored]:
    """All methods that pay, cheapest first."""
    rows, credits = np.bincount(arena.owner).astype(float), in_run(arena)
    yield scored("rows counted", 1, [(rows / rows.sum(), found.shares())])
    for seeds in (1, 2, 3, CREDIT_SEEDS):
        groups = list(combinations(range(CREDIT_SEEDS), seeds))
        tries = [
            (measures.clipped_shares(by_contributor(arena, credits[list(group)]).mean(0)), found.shares())
            for group in groups
        ]
        yield scored(f"**in-run, {seeds} seed{'s' * (seeds > 1)}**", IN_RUN_COST * seeds, tries)
    cost = designs.cost(rate_runs(arena, 0))
    for repetitions in (1, 2):
        groups = rolling(len(found.repetitions), repetitions)
        alone = [
            (measures.clipped_shares(found.repetitions[list(group)].mean(0)), found.shares(group)) for group in groups
        ]
        yield scored(f"rate design, {repetitions} ×", cost * repetitions + 1, alone)
        both = [
            (measures.clipped_shares(combined(arena, found, credits[:2], group).credit), found.shares(group))
            for group in groups
        ]
        name = f"**in-run, 2 seeds, and rate design, {repetitions} ×**"
        yield scored(name, cost * repetitions + 2 * IN_RUN_COST, both)


def combined(arena: Arena, found: Truth, credits: np.ndarray, repetitions: tuple[int, ...]) -> estimate.Estimate:
    """Tribute's estimate from these seeds' in-run credits [seeds, rows] and these repetitions."""
    blocks = np.arange(len(arena.names))
    noise = estimate.row_noise(credits, arena.owner)
    seen = [estimate.Design(blocks, found.repetitions[one]) for one in repetitions]
    sums = by_contributor(arena, credits)
    return estimate.combine(sums, noise, np.bincount(arena.owner), float(sums.sum(1).mean()), seen)


def rolling(count: int, size: int) -> list[tuple[int, ...]]:
    """Groups of `size` repetitions, one starting at each, round the end; none where they leave no truth."""
    return [tuple((start + step) % count for step in range(size)) for start in range(count)] if size < count else []


def coverage(arena: Arena, found: Truth) -> tuple[int, float, float]:
    """Trials, and how often 90 % intervals hold the truth of unseen repetitions and of unseen seeds.

    The truth's own error is added to the interval's, since it is not known exactly either.
    """
    credits = in_run(arena)
    sums = by_contributor(arena, credits)
    hits, misses = [], []
    for seeds in combinations(range(CREDIT_SEEDS), 2):
        others = [seed for seed in range(CREDIT_SEEDS) if seed not in seeds]
        for group in rolling(len(found.repetitions), 4):
            held_out = np.delete(found.repetitions, group, axis=0)
            got = combined(arena, found, credits[list(seeds)], group)
            own = held_out.var(0, ddof=1) / len(held_out)
            wide = got.margin(0.9) / got.errors() * np.sqrt(got.errors() ** 2 + own)
            hits.append(np.abs(got.credit - held_out.mean(0)) <= wide)
        alone = combined(arena, found, credits[list(seeds)], ())
        wide = alone.margin(0.9) * np.sqrt(1 + len(seeds) / len(others))
        misses.append(np.abs(alone.credit - sums[others].mean(0)) <= wide)
    return int(np.size(hits)), float(np.mean(hits)), float(np.mean(misses))
