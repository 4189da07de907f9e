"""How often 90 % intervals hold the truth. See fidelity.py.

The truth's own error is added to each interval, since it is not known exactly either. The choice of evaluation rows
is left out: truth and estimate are measured on the same.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from lib.arena import Arena
from lib.ground_truth import CREDIT_SEEDS, SEEDS, Truth, by_contributor, choices, in_run
from lib.share_errors import combined
from tribute.attribution.shares.estimate import Estimate


def interval_lines(arena: Arena, found: Truth) -> Iterator[str]:
    """Coverage by what the estimate was made from."""
    late, count = range(SEEDS, CREDIT_SEEDS), len(found.effects)
    yield (
        f"Coverage of 90 % intervals. Repetitions share seeds 0 to {SEEDS - 1} among themselves, so in-run comes from "
        f"seeds {SEEDS} to {CREDIT_SEEDS - 1}. Trials overlap in seeds and repetitions: independent units are the "
        f"{len(arena.names)} contributors of this one world."
    )
    yield ""
    yield "| interval from | held against | covered, the truth's error added | not added | trials |"
    yield "|---|---|---|---|---|"
    hits = [
        covered(combined(arena, found, group, stand_in=False), found.repetitions) for group in combinations(late, 2)
    ]
    yield line("in-run, 2 seeds, alone", f"all {count} repetitions", hits)
    for seeds in (2, len(late)):
        hits = [covered(combined(arena, found, group), found.repetitions) for group in combinations(late, seeds)]
        yield line(f"in-run, {seeds} seeds, and stand-in (`budget: 0`)", f"all {count} repetitions", hits)
    for used in (used for used in (1, 2, 4) if used <= count - 2):  # two are left to know the truth's own error
        hits = [
            covered(combined(arena, found, seeds, group), np.delete(found.repetitions, group, axis=0))
            for seeds in combinations(late, 2)
            for group in choices(range(count), used)
        ]
        yield line(
            f"in-run, 2 seeds, stand-in and rate design, {used} ×", f"the other {count - used} repetitions", hits
        )
    credits = by_contributor(arena.owner, in_run(arena))
    hits = [
        covered(combined(arena, found, seeds, stand_in=False), np.delete(credits, seeds, axis=0))
        for seeds in combinations(range(CREDIT_SEEDS), 2)
    ]
    yield line("in-run, 2 seeds", f"in-run of the other {CREDIT_SEEDS - 2} seeds", hits)


def covered(got: Estimate, draws: np.ndarray) -> np.ndarray:
    """Whether the interval holds the mean of independent `draws` [draws, contributors], bool [2, contributors].

    First with that mean's own error added to the interval's, then as the interval stands.
    """
    own, quantile = draws.var(0, ddof=1) / len(draws), got.margin(0.9) / got.errors()
    wide = np.stack([quantile * np.sqrt(got.errors() ** 2 + own), got.margin(0.9)])
    return np.abs(got.credit - draws.mean(0)) <= wide


def line(source: str, against: str, hits: list[np.ndarray]) -> str:
    """A line of the table."""
    added, stood = np.mean(hits, axis=(0, 2))
    return f"| {source} | {against} | {added:.0%} | {stood:.0%} | {np.size(hits) // 2} |"
