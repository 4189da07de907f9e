"""How far each method's shares are from the truth: Σ|error|, for every try that can be made of what was collected.

A try is never held against what it was made from: not against repetitions of the rate design that it used, and not
against the exact Shapley value of a seed that it used. Against split-neutral shares all are scored on the same truths,
each from all repetitions but HELD_OUT. See fidelity.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lib.arena import Arena
from lib.ground_truth import (
    CREDIT_SEEDS,
    SEEDS,
    Truth,
    by_contributor,
    choices,
    coalitions,
    exact_shapley,
    in_run,
    rate_runs,
    trained_rows,
    two_n,
)
from tribute.attribution.gradients.sample import FOLDS
from tribute.attribution.retraining import designs
from tribute.attribution.shares.estimate import Design, Estimate, RowEstimate
from tribute.attribution.shares.row_credits import row_credits
from tribute.attribution.shares.shares import clipped_shares

HELD_OUT = 3
REPLAY = 2.52
"""Trainings that one replay costs: docs/benchmarks/throughput.md."""


@dataclass(frozen=True)
class Try:
    """Shares, and what they were made from."""

    shares: np.ndarray
    seeds: tuple[int, ...] = ()
    repetitions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Method:
    """A way to share, its tries, and what one of them costs in trainings, the fine-tune's own included."""

    name: str
    trainings: float
    tries: Sequence[Try]


def distance_lines(arena: Arena, found: Truth) -> Iterator[str]:
    """Every method against both truths."""
    exact = exact_values(arena)
    yield (
        "| method | trainings | split-neutral, unseen repetitions | 10–90 % of tries | all repetitions "
        "| exact Shapley, unseen seed | 10–90 % of tries | tries of each |"
    )
    yield "|---" * 8 + "|"
    for method in methods(arena, found, exact):
        unseen, shapley = to_unseen(method, found), to_exact(method, exact)
        whole = [distance(one.shares, found.shares()) for one in method.tries if not one.repetitions]
        cells = [*spread(unseen), f"{np.mean(whole):.3f}" if whole else "–", *spread(shapley)]
        tries = f"{len(unseen)}, {len(shapley)}"
        yield f"| {method.name} | {method.trainings:.1f} | {' | '.join(cells)} | {tries} |"


def spread(errors: Sequence[float]) -> tuple[str, str]:
    """Mean, and 10th to 90th percentile; tries overlap, so this is no standard error."""
    if not errors:
        return "–", "–"
    low, high = np.percentile(errors, [10, 90])
    return f"{np.mean(errors):.3f}", f"{low:.3f}–{high:.3f}"


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Σ|difference|."""
    return float(np.abs(a - b).sum())


def to_unseen(method: Method, found: Truth) -> list[float]:
    """Every try against every truth that leaves HELD_OUT repetitions out, the try's own among them."""
    truths = {left: found.shares(left) for left in left_out(found)}
    return [
        distance(one.shares, true)
        for one in method.tries
        for left, true in truths.items()
        if {*one.repetitions} <= {*left}
    ]


def left_out(found: Truth) -> list[tuple[int, ...]]:
    """The repetitions that a truth is made without; the same for all methods."""
    return choices(range(len(found.effects)), HELD_OUT)


def to_exact(method: Method, exact: dict[int, np.ndarray]) -> list[float]:
    """Every try against the exact Shapley value of every seed that it has not seen."""
    return [
        distance(one.shares, clipped_shares(values))
        for one in method.tries
        for seed, values in exact.items()
        if seed not in one.seeds
    ]


def exact_values(arena: Arena) -> dict[int, np.ndarray]:
    """By seed, where all coalitions were collected."""
    found = {seed: exact_shapley(arena, seed) for seed in range(SEEDS)}
    return {seed: values for seed, values in found.items() if values is not None}


def methods(arena: Arena, found: Truth, exact: dict[int, np.ndarray]) -> Iterator[Method]:
    """All of them, simple scores first."""
    yield from simple(arena)
    replays = [Try(shares_of(arena, arena.replayed(seed)), (seed,)) for seed in range(SEEDS)]
    yield Method("replay, 1 seed", 1 + REPLAY, replays)
    credits, cost, stand_in = in_run(arena), 1 + arena.costs["walk"], arena.costs["stand_in"]
    for seeds in (1, 2, 3, CREDIT_SEEDS):
        groups = combinations(range(CREDIT_SEEDS), seeds)
        tries = [Try(shares_of(arena, credits[list(group)].mean(0)), group) for group in groups]
        yield Method(f"**in-run, {plural(seeds)}**", cost * seeds, tries)
    yield Method("stand-in", 1 + stand_in, [Try(shares_of(arena, arena.stand_in.credit))])
    for seeds in (1, 2, 3):
        tries = [
            Try(clipped_shares(combined(arena, found, group).credit), group)
            for group in combinations(range(CREDIT_SEEDS), seeds)
        ]
        yield Method(f"**in-run, {plural(seeds)}, and stand-in**", cost * seeds + stand_in, tries)
    yield from designed(arena, found)
    ends = [Try(clipped_shares(two_n(arena, seed)), (seed,)) for seed in range(SEEDS)]
    runs = [run for part in designs.singles_and_leave_outs(arena.owner, 0) for run in part]
    yield Method("2n design, names as players", 1 + designs.cost(runs), ends)
    named = [Try(clipped_shares(values), (seed,)) for seed, values in exact.items()]
    if named:
        yield Method("exact Shapley, names as players", designs.cost(coalitions(arena, 0)), named)


def designed(arena: Arena, found: Truth) -> Iterator[Method]:
    """Repetitions of the rate design alone, and with everything else."""
    runs = float(np.mean([designs.cost(rate_runs(arena, number)) for number in range(len(found.effects))]))
    walks, stand_in = 2 * (1 + arena.costs["walk"]), arena.costs["stand_in"]
    for count in range(1, HELD_OUT + 1):
        groups = sorted({used for left in left_out(found) for used in combinations(left, count)})
        plain = [Try(clipped_shares(found.measured[list(group)].mean(0)), (), group) for group in groups]
        yield Method(f"rate design, {count} ×", 1 + count * runs, plain)
        both = [
            Try(clipped_shares(combined(arena, found, seeds, group).credit), seeds, group)
            for seeds in combinations(range(CREDIT_SEEDS), 2)
            for group in groups
        ]
        spent = walks + stand_in + count * (runs + arena.costs["repetition"])
        yield Method(f"**in-run, 2 seeds, stand-in and rate design, {count} ×**", spent, both)


def plural(seeds: int) -> str:
    """Seeds, counted."""
    return f"{seeds} seed{'s' * (seeds > 1)}"


def simple(arena: Arena) -> Iterator[Method]:
    """The scores that attribution must beat; the two from gradients look once at every row of either side."""
    scores, looked = arena.baselines(0), (len(arena) + len(arena.tests)) / trained_rows(arena)
    yield Method("rows counted", 1, [Try(shares_of(arena, np.ones(len(arena))))])
    for name, key in (("tokens counted", "tokens"), ("BM25", "bm25"), ("embedding similarity", "embedding")):
        yield Method(name, 1, [Try(shares_of(arena, scores[key]))])
    for name, key in (("gradient dot product", "gradient_dot"), ("end-of-training influence", "end_of_training")):
        yield Method(name, 1 + looked, [Try(shares_of(arena, scores[key]), (0,))])


def shares_of(arena: Arena, scores: np.ndarray) -> np.ndarray:
    """Row scores [rows] as shares of the contributors."""
    return clipped_shares(by_contributor(arena.owner, scores))


def combined(
    arena: Arena, found: Truth, seeds: tuple[int, ...], repetitions: tuple[int, ...] = (), stand_in: bool = True
) -> Estimate:
    """Tribute's estimate from these seeds' in-run credits, the stand-in and these repetitions.

    Which rows the evaluation has is not in its intervals: truth and estimate are measured on the same. Without
    `stand_in` in-run credit stands alone.
    """
    walks = [arena.in_run(seed) for seed in seeds]
    gain = float(np.mean([walk.measured for walk in walks]))
    table = row_credits(walks, arena.stand_in if stand_in else None, arena.stand_in.clusters, gain)
    effects = found.less_luck(shares_by_name(arena)) * gain
    seen = [Design(arena.owner, effects[one], alike(effects[one])) for one in repetitions]
    table = replace(table, folds=alike(table.credit.mean(0)))
    return RowEstimate(table, arena.stand_in.clusters, gain, seen).named(arena.owner)


def shares_by_name(arena: Arena) -> np.ndarray:
    """The stand-in's credits of names, in parts of their sum."""
    return by_contributor(arena.owner, arena.stand_in.credit) / arena.stand_in.credit.sum()


def alike(values: np.ndarray) -> np.ndarray:
    """The same for every fold of the evaluation."""
    return np.tile(values, (FOLDS, 1))
