"""How far each method's shares are from the truth: Σ|error|, for every try that can be made of what was collected.

A try is never held against what it was made from: not against repetitions of the rate design that it used, and not
against the exact Shapley value of a seed that it used. Against split-neutral shares all are scored on the same truths,
each from all repetitions but HELD_OUT. See fidelity.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    in_run_cost,
    probe_shares,
    rate_runs,
    total,
    trained_rows,
    two_n,
)
from tribute.attribution.credit import probe
from tribute.attribution.retraining import designs
from tribute.attribution.shares import estimate
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
    credits, cost = in_run(arena), in_run_cost(arena)
    for seeds in (1, 2, 3, CREDIT_SEEDS):
        groups = combinations(range(CREDIT_SEEDS), seeds)
        tries = [Try(shares_of(arena, credits[list(group)].mean(0)), group) for group in groups]
        yield Method(f"**in-run, {seeds} seed{'s' * (seeds > 1)}**", cost * seeds, tries)
    probed, probes = probe_shares(arena), arena.probe_cost * probe.REPETITIONS
    yield Method("probe", 1 + probes, [Try(clipped_shares(probed))])
    for seeds in (1, 2, 3):
        groups = combinations(range(CREDIT_SEEDS), seeds)
        # One seed has no scatter to weigh it by: both count for the same, as two seeds' estimate has it.
        tries = [
            Try(clipped_shares(combined(arena, found, group).credit), group)
            if seeds > 1
            else Try(clipped_shares(whole(arena, credits[group[0]]) + probed), group)
            for group in groups
        ]
        yield Method(f"**in-run, {seeds} seed{'s' * (seeds > 1)}, and probe**", cost * seeds + probes, tries)
    spent = np.mean([designs.cost(rate_runs(arena, one)) for one in range(len(found.effects))]) + arena.probe_cost
    for count in range(1, HELD_OUT + 1):
        groups = sorted({used for left in left_out(found) for used in combinations(left, count)})
        plain = [Try(clipped_shares(found.measured[list(group)].mean(0)), (), group) for group in groups]
        yield Method(f"rate design, {count} ×", 1 + count * (spent - arena.probe_cost), plain)
        less = found.less_luck(probed)
        lucky = [Try(clipped_shares(less[list(group)].mean(0)), (), group) for group in groups]
        yield Method(f"rate design, {count} ×, less luck by the probe", 1 + probes + count * spent, lucky)
        both = [
            Try(clipped_shares(combined(arena, found, seeds, group).credit), seeds, group)
            for seeds in combinations(range(CREDIT_SEEDS), 2)
            for group in groups
        ]
        name = f"**in-run, 2 seeds, probe and rate design, {count} ×**"
        yield Method(name, 2 * cost + probes + count * spent, both)
    ends = [Try(clipped_shares(two_n(arena, seed)), (seed,)) for seed in range(SEEDS)]
    runs = [run for part in designs.singles_and_leave_outs(arena.owner, 0) for run in part]
    yield Method("2n design, names as players", 1 + designs.cost(runs), ends)
    named = [Try(clipped_shares(values), (seed,)) for seed, values in exact.items()]
    if named:
        yield Method("exact Shapley, names as players", designs.cost(coalitions(arena, 0)), named)


def simple(arena: Arena) -> Iterator[Method]:
    """The scores that attribution must beat; the two from gradients look once at every row of either side."""
    scores, looked = arena.baselines(0), (len(arena) + len(arena.tests)) / trained_rows(arena)
    yield Method("rows counted", 1, [Try(shares_of(arena, np.ones(len(arena))))])
    for name, key in (("tokens counted", "tokens"), ("BM25", "bm25"), ("embedding similarity", "embedding")):
        yield Method(name, 1, [Try(shares_of(arena, scores[key]))])
    for name, key in (("gradient dot product", "gradient_dot"), ("end-of-training influence", "end_of_training")):
        yield Method(name, 1 + looked, [Try(shares_of(arena, scores[key]), (0,))])


def whole(arena: Arena, scores: np.ndarray) -> np.ndarray:
    """Row scores [rows] summed by contributor, in parts of their total."""
    return np.asarray(by_contributor(arena.owner, scores) / scores.sum())


def shares_of(arena: Arena, scores: np.ndarray) -> np.ndarray:
    """Row scores [rows] as shares of the contributors."""
    return clipped_shares(by_contributor(arena.owner, scores))


def combined(
    arena: Arena, found: Truth, seeds: tuple[int, ...], repetitions: tuple[int, ...] = (), witnesses: int = 1
) -> estimate.Estimate:
    """Tribute's estimate from these seeds' in-run credits, the probe and these repetitions, fed as evidence.py does.

    With no `witnesses` in-run stands alone, as for a causal model.
    """
    credits, reached = in_run(arena)[list(seeds)], float(np.mean([total(arena, seed) for seed in seeds]))
    probed, names = probe_shares(arena), np.arange(len(arena.names))
    effects = found.less_luck(probed)
    seen = [estimate.Design(names, effects[one] * reached) for one in repetitions]
    noise, rows = estimate.row_noise(credits, arena.owner), np.bincount(arena.owner)
    probes = [estimate.Design(names, probed * reached)] * witnesses
    return estimate.combine(by_contributor(arena.owner, credits), noise, rows, reached, seen, probes)
