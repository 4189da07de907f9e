"""How far a prediction follows real retraining: the figures of the attribution card, and nothing else.

All take plain arrays, losses and effects in nats, > 0 helped. None is defined where one side is constant or there
are fewer than three points: then it is None, never a number that means nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

ALL_HALVES, HALVES = 12, 1000
"""Up to so many seeds are halved in every way; more of them in so many random ways."""


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's; None too where something was not measured (NaN)."""
    if len(a) < 3 or np.isnan(a).any() or np.isnan(b).any() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(stats.spearmanr(a, b).statistic)


def slope(predicted: np.ndarray, measured: np.ndarray) -> float | None:
    """Least squares of measured on predicted, with an intercept; 1 is right."""
    if len(predicted) < 3 or np.isnan(predicted).any() or np.ptp(predicted) == 0:
        return None
    return float(np.polyfit(predicted, measured, 1)[0])


def pairwise(tables: Sequence[np.ndarray]) -> float | None:
    """Mean rank correlation over all pairs of seeds: the ceiling for whatever one seed predicts of another."""
    pairs = [rank_correlation(tables[a], tables[b]) for a in range(len(tables)) for b in range(a)]
    known = [one for one in pairs if one is not None]
    return float(np.mean(known)) if known else None


def clipped_shares(credit: np.ndarray) -> np.ndarray:
    """Credits [..., contributors] below 0 count as 0, the rest is divided by its sum; all 0 where none is above."""
    positive = np.maximum(credit, 0)
    total = positive.sum(-1, keepdims=True)
    return np.asarray(np.divide(positive, total, out=np.zeros_like(positive), where=total > 0))


def seed_split(seeds: np.ndarray) -> float | None:
    """Σ|difference of shares| between the mean credits of two disjoint halves of the seeds [seeds, contributors].

    The mean over all ways to halve them, so that it does not hang on the seeds' order, or over a sample of them (see
    ALL_HALVES). 0 to 2.
    """
    if len(seeds) < 2:
        return None
    found = []
    for half in _halves(len(seeds)):
        chosen = np.isin(np.arange(len(seeds)), half)
        found.append(np.abs(clipped_shares(seeds[chosen].mean(0)) - clipped_shares(seeds[~chosen].mean(0))).sum())
    return float(np.mean(found))


def _halves(count: int) -> Iterable[Sequence[int]]:
    if count <= ALL_HALVES:
        return combinations(range(count), count // 2)
    generator = np.random.Generator(np.random.Philox(count))
    return [generator.permutation(count)[: count // 2].tolist() for _ in range(HALVES)]


def held_out_coverage(seeds: np.ndarray, noise: np.ndarray, confidence: float) -> tuple[int, float] | None:
    """How often an interval from all other seeds holds a held-out seed's credit: trials, and the part covered.

    `seeds` [seeds, contributors]; `noise` [contributors] is one seed's variance as the intervals take it. The
    interval is that of a new seed's credit, so the new seed's own noise is in it.
    """
    count = len(seeds)
    if count < 3:
        return None
    others = (seeds.sum(0) - seeds) / (count - 1)
    margin = stats.norm.ppf((1 + confidence) / 2) * np.sqrt(noise * (1 + 1 / (count - 1)))
    inside = np.abs(seeds - others) <= margin
    return int(inside.size), float(inside.mean())
