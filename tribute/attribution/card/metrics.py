"""How far a prediction follows real retraining: the figures of the attribution card, and nothing else.

All take plain arrays, losses and effects in nats, > 0 helped. None is defined where one side is constant or there
are fewer than three points: then it is None, never a number that means nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from tribute.attribution.shares.shares import clipped_shares

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


def gap_within(values: np.ndarray, is_first: np.ndarray, groups: Sequence[str]) -> tuple[float, float] | None:
    """By how much `values` [points] are larger where `is_first` [points], among points of the same group.

    Least squares with a constant for each group, and its standard error; None where no group tells the two apart, or
    nothing is left to scatter.
    """
    inside = np.unique(groups, return_inverse=True)[1]
    size = np.bincount(inside)

    def centred(points: np.ndarray) -> np.ndarray:
        return np.asarray(points - (np.bincount(inside, points) / size)[inside])

    first, free = centred(is_first.astype(float)), len(values) - len(size) - 1
    spread = float(first @ first)
    if spread < 1e-9 or free < 1:
        return None
    gap = float(first @ values) / spread
    left = centred(values) - gap * first
    return gap, float(np.sqrt(left @ left / free / spread))


def residual(values: np.ndarray, regressor: np.ndarray) -> np.ndarray:
    """What a straight line on `regressor` [points] leaves of `values` [points, ...].

    Less than 1e-9 of the largest value is rounding, and 0: rounding errors have ranks too, which mean nothing.
    """
    if np.ptp(regressor) == 0:
        return values
    line = np.polynomial.polynomial.polyfit(regressor, values, 1)
    left = values - np.polynomial.polynomial.polyval(regressor, line).T
    return np.asarray(np.where(np.abs(left) < 1e-9 * np.abs(values).max(0), 0.0, left))


def pairwise(tables: Sequence[np.ndarray]) -> float | None:
    """Mean rank correlation over all pairs of seeds: the ceiling for whatever one seed predicts of another."""
    return mean(rank_correlation(tables[a], tables[b]) for a in range(len(tables)) for b in range(a))


def across_seeds(predicted: Mapping[Any, np.ndarray], measured: Mapping[int, np.ndarray]) -> float | None:
    """Mean rank correlation of each seed's prediction with what the other seeds measured, as `pairwise` takes it.

    Never of a seed with itself: its own noise would be predicted too. The key None is a prediction of no seed.
    """
    return mean(
        rank_correlation(effects, measured[seed])
        for own, effects in predicted.items()
        for seed in measured
        if seed != own
    )


def mean(figures: Iterable[float | None]) -> float | None:
    """The mean of those that are defined."""
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None


def seed_split(seeds: np.ndarray) -> float | None:
    """Σ|difference of shares| between the mean credits of two disjoint halves of the seeds [seeds, contributors].

    The mean over all ways to halve them, so that it does not hang on the seeds' order, or over a sample of them (see
    ALL_HALVES). 0 to 2.
    """
    if len(seeds) < 2:
        return None
    distances = []
    for half in _halves(len(seeds)):
        chosen = np.isin(np.arange(len(seeds)), half)
        distances.append(np.abs(clipped_shares(seeds[chosen].mean(0)) - clipped_shares(seeds[~chosen].mean(0))).sum())
    return float(np.mean(distances))


def _halves(count: int) -> Iterable[Sequence[int]]:
    if count <= ALL_HALVES:
        return combinations(range(count), count // 2)
    generator = np.random.Generator(np.random.Philox(count))
    return [generator.permutation(count)[: count // 2].tolist() for _ in range(HALVES)]
