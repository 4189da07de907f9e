"""The evaluation rows whose gradients are taken, a fixed stratified part of the evaluation set, and their folds."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

FOLDS = 8
"""Parts of the evaluation that are looked at apart, to see how much hangs on which rows it happens to have."""


def stratified_sample(slices: Sequence[str], size: int) -> tuple[list[int], np.ndarray]:
    """Positions of about `size` rows spread over the slices in proportion, and their weights.

    Every slice keeps at least one row. Weights [sample] sum to 1, and within a slice to its part of the
    evaluation, so that a weighted sum over the sample estimates the mean over all rows. The draw depends on
    the slices alone: every seed of a run is measured on the same rows.
    """
    names = np.array(slices)
    generator = np.random.Generator(np.random.Philox(0))
    chosen: list[int] = []
    weights: list[float] = []
    for name in sorted(set(slices)):
        members = np.flatnonzero(names == name)
        kept = max(1, min(len(members), round(size * len(members) / len(names))))
        chosen += sorted(generator.permutation(members)[:kept].tolist())
        weights += [len(members) / len(names) / kept] * kept
    return chosen, np.array(weights)


def folds(row_ids: Sequence[str]) -> np.ndarray:
    """The fold of each evaluation row, by its id alone, int [rows]."""
    return np.array([crc32(row_id.encode()) % FOLDS for row_id in row_ids])


def fold_weights(row_ids: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Every row's weight in its fold's column, scaled so that each fold stands for the whole, [rows, folds].

    A fold that has no rows says what all rows say.
    """
    inside = (folds(row_ids)[:, None] == np.arange(FOLDS)) * weights[:, None]
    inside[:, inside.sum(0) == 0] = weights[:, None]
    return np.asarray(inside / inside.sum(0) * weights.sum())
