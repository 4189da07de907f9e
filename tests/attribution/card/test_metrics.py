"""The card's figures on numbers whose answer is known."""

import numpy as np
import pytest

from tribute.attribution.card import metrics
from tribute.attribution.shares.shares import clipped_shares


def test_rank_correlation_is_undefined_where_it_would_say_nothing():
    """Two points, or a side that is constant."""
    assert metrics.rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert metrics.rank_correlation(np.ones(4), np.arange(4.0)) is None
    assert metrics.rank_correlation(np.arange(4.0), np.arange(4.0) ** 3) == pytest.approx(1)


def test_slope_of_a_prediction_half_the_size_is_two():
    """Measured on predicted, whatever the intercept."""
    predicted = np.array([0.0, 1.0, 3.0])

    assert metrics.slope(predicted, 2 * predicted + 5) == pytest.approx(2)


def test_a_seed_is_never_asked_about_itself():
    """Seed 0 knows itself by heart and nothing else."""
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 3.0, 2.0, 1.0])

    assert metrics.across_seeds({0: first}, {0: first, 1: second}) == pytest.approx(-1)
    assert metrics.across_seeds({0: first}, {0: first}) is None
    assert metrics.across_seeds({None: first}, {0: first, 1: second}) == pytest.approx(0)


def test_what_a_line_explains_leaves_no_rounding_errors_to_be_ranked():
    """A straight line leaves exactly 0 and has no rank; what is beside the line stays, in every column."""
    count = np.arange(20.0)
    beside = np.random.default_rng(0).normal(0, 1, 20)
    columns = np.stack([720 - count / 3, 5 * count + beside], axis=1)

    left = metrics.residual(columns, count)

    assert not left[:, 0].any()
    assert metrics.rank_correlation(left[:, 0], beside) is None
    assert left[:, 1] == pytest.approx(metrics.residual(beside, count))
    assert metrics.residual(beside, np.ones(20)) is beside


def test_a_gap_is_measured_within_groups():
    """What one group is easier than another is no gap between the points of either kind."""
    chance = np.random.default_rng(0)
    first, groups = chance.random(400) < np.repeat([0.2, 0.8], 200), ["hard"] * 200 + ["easy"] * 200
    values = np.repeat([0.0, 1.0], 200) + 0.1 * first + chance.normal(0, 0.2, 400)

    gap, error = metrics.gap_within(values, first, groups)

    assert gap == pytest.approx(0.1, abs=3 * error)
    assert error == pytest.approx(0.2 / np.sqrt(400 * 0.2 * 0.8), rel=0.1)
    assert metrics.gap_within(values, np.repeat([True, False], 200), groups) is None


def test_shares_clip_and_divide():
    """Who harmed gets nothing, and where nobody helped nobody gets anything."""
    assert clipped_shares(np.array([3.0, 1.0, -2.0])).tolist() == [0.75, 0.25, 0.0]
    assert clipped_shares(np.array([-1.0, -2.0])).tolist() == [0.0, 0.0]


def test_the_seed_split_does_not_hang_on_the_order_of_seeds():
    """Mean over all halves."""
    seeds = np.random.default_rng(0).random((4, 3))

    assert metrics.seed_split(seeds) == pytest.approx(metrics.seed_split(seeds[[2, 0, 3, 1]]))
    assert metrics.seed_split(np.array([[1.0, 0.0], [0.0, 1.0]])) == 2.0
    assert metrics.seed_split(seeds[:1]) is None


def test_many_seeds_are_halved_in_a_sample_of_ways():
    """In a moment, the same each time, and close to the mean over all 2,704,156 ways of 24 seeds."""
    seeds = np.random.default_rng(0).normal(1, 0.1, (24, 2))

    found = metrics.seed_split(seeds)

    chance = np.random.default_rng(1)
    halves = [np.split(seeds[chance.permutation(24)], 2) for _ in range(4000)]
    shares = [[clipped_shares(half.mean(0)) for half in pair] for pair in halves]
    assert found == pytest.approx(np.mean([np.abs(one - other).sum() for one, other in shares]), rel=0.1)
    assert metrics.seed_split(seeds) == found


def test_every_way_to_halve_a_few_seeds_counts():
    """Of three, the odd one out is each of them once."""
    seeds = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

    apart = [np.abs(np.array([1, 0]) - [1 / 3, 2 / 3]).sum(), np.abs(np.array([0, 1]) - [2 / 3, 1 / 3]).sum(), 0]
    assert metrics.seed_split(seeds) == pytest.approx(np.mean(apart))
