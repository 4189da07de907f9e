"""The evaluation rows whose gradients are taken: a fixed stratified part of the evaluation set."""

from collections.abc import Sequence

import numpy as np


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
