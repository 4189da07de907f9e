"""The weighted sample stands for the whole evaluation: every slice is in it, with the weight it has there."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.attribution.gradients.sample import FOLDS, fold_weights, stratified_sample

SLICES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=120)
SIZES = st.integers(1, 150)


@given(SLICES, SIZES)
def test_weights_sum_to_one_and_every_slice_is_present(slices, size):
    """In a slice they sum to its part of the evaluation; no row is drawn twice."""
    chosen, weights = stratified_sample(slices, size)

    parts = Counter()
    for row, weight in zip(chosen, weights, strict=True):
        parts[slices[row]] += weight
    assert len(set(chosen)) == len(chosen)
    assert weights.sum() == pytest.approx(1)
    assert dict(parts) == pytest.approx({name: count / len(slices) for name, count in Counter(slices).items()})


@given(SLICES, SIZES)
def test_the_sample_has_about_the_size_asked_for(slices, size):
    """It differs by rounding in each slice at most."""
    chosen, _ = stratified_sample(slices, size)

    assert abs(len(chosen) - min(size, len(slices))) <= len(set(slices))


@given(SLICES)
def test_a_sample_as_large_as_the_evaluation_is_the_evaluation(slices):
    """Then every row counts the same."""
    chosen, weights = stratified_sample(slices, len(slices))

    assert sorted(chosen) == list(range(len(slices)))
    assert np.allclose(weights, 1 / len(slices))


def test_the_draw_is_fixed():
    """Every seed of a run is measured on the same rows."""
    slices = ["a", "b"] * 50

    first, second = stratified_sample(slices, 20), stratified_sample(slices, 20)

    assert first[0] == second[0]


def test_weighted_means_estimate_the_mean_over_all_rows():
    """A quantity that is the same within a slice is estimated without error, however uneven the slices."""
    slices = ["a"] * 90 + ["b"] * 9 + ["c"]
    value = {"a": 1.0, "b": 10.0, "c": 100.0}

    chosen, weights = stratified_sample(slices, 10)

    estimate = sum(weight * value[slices[row]] for row, weight in zip(chosen, weights, strict=True))
    assert estimate == pytest.approx(np.mean([value[name] for name in slices]))


def test_every_fold_stands_for_the_whole():
    """Each column sums to what the weights sum to, every row is in one fold, and an empty fold says what all say."""
    weights = np.full(400, 1 / 400)

    spread = fold_weights([f"evaluation:{row}" for row in range(400)], weights)

    assert spread.shape == (400, FOLDS)
    assert spread.sum(0) == pytest.approx(1)
    assert ((spread > 0).sum(1) == 1).all()
    assert fold_weights(["evaluation:1"], np.ones(1)).tolist() == [[1.0] * FOLDS]
