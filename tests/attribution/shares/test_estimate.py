"""Names' credits from rows': efficient, blind to names figure by figure, and going to the truth that is measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.attribution.shares.estimate import Design, RowEstimate, Spread
from tribute.attribution.shares.row_credits import RowCredits

pytestmark = pytest.mark.numeric

ROWS = 120
CLUSTERS = np.arange(ROWS) * 8 // ROWS
OWNER = np.repeat([0, 1, 2, 3], [40, 35, 25, 20])
GROUPS = np.arange(ROWS) % 7


def world(seed, noise=0.002, shared=0.002, distance=0.0, seeds=3):
    """The true credits of rows, and a table of them whose error has a part per row and one per cluster."""
    chance = np.random.default_rng(seed)
    true = chance.normal(0.005, 0.01, ROWS)
    true += (0.5 - true.sum()) / ROWS
    drawn = chance.normal(0, noise, (seeds, ROWS)) + chance.normal(0, shared, (seeds, 8))[:, CLUSTERS]
    off = chance.normal(0, distance, ROWS) if distance else np.zeros(ROWS)
    credit = true + off + drawn
    credit += (0.5 - credit.mean(0).sum()) / ROWS
    return true, RowCredits(credit, credit.mean(0)[None].repeat(8, 0), off, 1.0)


def designs(true, seed, count, noise=0.01):
    """Repetitions that measure groups of rows with noise as the root of their rows."""
    chance, size = np.random.default_rng([seed, 1]), np.bincount(GROUPS)
    sums = np.bincount(GROUPS, weights=true)
    effects = [sums + chance.normal(0, noise * np.sqrt(size)) for _ in range(count)]
    return [Design(GROUPS, effect, effect[None].repeat(8, 0)) for effect in effects]


def test_without_a_design_the_tables_mean_is_the_estimate():
    """Summed by name."""
    _, table = world(0)

    named = RowEstimate(table, CLUSTERS, 0.5).named(OWNER)

    assert named.credit == pytest.approx(np.bincount(OWNER, weights=table.credit.mean(0)))


@pytest.mark.parametrize("count", [0, 1, 4])
def test_credits_sum_to_the_total(count):
    """Of names and of rows, whatever designs sum to; a name's is the sum of its rows'."""
    true, table = world(0, distance=0.01)

    estimate = RowEstimate(table, CLUSTERS, 0.5, designs(true, 0, count))

    assert estimate.credit.sum() == pytest.approx(0.5)
    assert estimate.named(OWNER).credit == pytest.approx(np.bincount(OWNER, weights=estimate.credit))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=ROWS, max_size=ROWS), st.integers(0, 2))
def test_merging_names_gives_what_one_name_would_have_had(names, count):
    """Credit, standard error and interval of the merged rows, to 1e-9, whatever other names there are."""
    owner = np.unique(np.array(names), return_inverse=True)[1]
    true, table = world(1, distance=0.01)
    estimate = RowEstimate(table, CLUSTERS, 0.5, designs(true, 1, count))

    split = np.where(owner == 0, owner.max() + 1 + np.arange(ROWS) % 3, owner)
    apart, whole = estimate.named(np.unique(split, return_inverse=True)[1]), estimate.named(owner)
    merged = estimate.named(np.where(split > owner.max(), 0, split))

    others = int(owner.max())
    assert merged.credit[0] == pytest.approx(whole.credit[0], abs=1e-9)
    for figure in ("credit", "known", "scatter"):
        assert getattr(merged, figure)[: others + 1] == pytest.approx(getattr(whole, figure), abs=1e-9)
        assert getattr(apart, figure)[:others] == pytest.approx(getattr(whole, figure)[1:], abs=1e-9)
    assert apart.credit[others:].sum() == pytest.approx(whole.credit[0], abs=1e-9)


def test_many_repetitions_overrule_biased_witnesses():
    """Off by as much as rows differ: forty repetitions that are right on average bring groups to the truth."""
    true, table = world(2, distance=0.02)

    estimate = RowEstimate(table, CLUSTERS, 0.5, designs(true, 2, 40))

    before = np.abs(np.bincount(GROUPS, weights=table.credit.mean(0) - true)).sum()
    assert np.abs(np.bincount(GROUPS, weights=estimate.credit - true)).sum() < 0.3 * before


def test_noisy_repetitions_are_weighed_against_good_witnesses():
    """Over 20 draws groups are much closer to the truth than by the designs alone."""
    own, alone = [], []
    for seed in range(20):
        true, table = world(seed, noise=0.001, shared=0.001, distance=0.001)
        measured = designs(true, seed, 2, noise=0.05)
        found = RowEstimate(table, CLUSTERS, 0.5, measured).named(GROUPS).credit
        sums = np.bincount(GROUPS, weights=true)
        own.append(np.abs(found - sums).sum())
        alone.append(np.abs(np.mean([design.effects for design in measured], axis=0) - sums).sum())

    assert np.mean(own) < 0.4 * np.mean(alone)


@pytest.mark.parametrize(("distance", "count"), [(0.0, 0), (0.01, 0), (0.01, 1), (0.01, 4)])
def test_ninety_per_cent_intervals_cover_about_ninety_per_cent(distance, count):
    """Over 100 worlds as the estimate takes them to be, of four names each."""
    inside = []
    for seed in range(100):
        true, table = world(seed, distance=distance, seeds=4)
        named = RowEstimate(table, CLUSTERS, 0.5, designs(true, seed, count)).named(OWNER)
        inside.append(np.abs(named.credit - np.bincount(OWNER, weights=true)) <= named.margin(0.9))

    assert 0.84 <= np.mean(inside) <= 0.96


def test_standard_errors_are_what_other_seeds_would_change():
    """The scatter of credits over worlds that differ in seeds alone; how far witnesses are off is not in it."""
    _, table = world(0, distance=0.02)
    credits, errors = [], []
    for seed in range(100):
        chance = np.random.default_rng([seed, 2])
        drawn = chance.normal(0, 0.002, (3, ROWS)) + chance.normal(0, 0.002, (3, 8))[:, CLUSTERS]
        credit = table.credit.mean(0) + drawn
        again = RowCredits(credit, credit.mean(0)[None].repeat(8, 0), table.distance, 1.0)
        named = RowEstimate(again, CLUSTERS, credit.mean(0).sum()).named(OWNER)
        credits.append(named.credit)
        errors.append(named.standard_errors())

    assert np.mean(errors, axis=0) == pytest.approx(np.std(credits, axis=0), rel=0.35)
    assert (named.errors() > 2 * named.standard_errors()).all()


def test_the_choice_of_evaluation_rows_widens_the_intervals():
    """Folds that disagree add the variance of their mean; folds that agree add nothing."""
    _, table = world(0)
    apart = table.folds + np.random.default_rng(0).normal(0, 0.01, table.folds.shape)

    same = RowEstimate(table, CLUSTERS, 0.5).named(OWNER)
    wider = RowEstimate(RowCredits(table.credit, apart, table.distance, 1.0), CLUSTERS, 0.5).named(OWNER)

    added = np.sqrt(wider.known - same.known)
    assert added == pytest.approx(0.01 * np.sqrt(np.bincount(OWNER)) / np.sqrt(8), rel=0.7)


def test_what_an_evaluation_changes_for_all_alike_changes_no_pay():
    """Folds that gain more or less of the same shares widen intervals of credit, but add nothing to standard errors."""
    _, table = world(0)
    louder = table.folds * (1 + 0.3 * np.random.default_rng(0).normal(size=(8, 1)))

    same = RowEstimate(table, CLUSTERS, 0.5).named(OWNER)
    loud = RowEstimate(RowCredits(table.credit, louder, table.distance, 1.0), CLUSTERS, 0.5).named(OWNER)

    assert loud.standard_errors() == pytest.approx(same.standard_errors())
    assert (loud.errors() > 1.2 * same.errors()).any()


def test_the_draws_of_a_stand_in_are_in_the_standard_errors():
    """Sixteen draws whose rows differ by 0.02 nats add that, over 16, for every row of a name."""
    _, table = world(0)
    draws = table.credit.mean(0) + np.random.default_rng(0).normal(0, 0.02, (16, ROWS))

    still = RowEstimate(table, CLUSTERS, 0.5).named(OWNER)
    drawn = RowEstimate(replace(table, draws=draws), CLUSTERS, 0.5).named(OWNER)

    added = drawn.standard_errors() ** 2 - still.standard_errors() ** 2
    size = np.bincount(OWNER)
    assert added == pytest.approx(0.02**2 / 16 * size * (1 - size / ROWS), rel=0.35)


@pytest.mark.parametrize("count", [0, 2])
def test_a_single_name_has_it_all_for_certain(count):
    """Witnesses and repetitions can say nothing else."""
    true, table = world(0, distance=0.01)

    named = RowEstimate(table, CLUSTERS, 0.5, designs(true, 0, count)).named(np.zeros(ROWS, dtype=int))

    assert named.credit == pytest.approx([0.5])
    assert named.margin(0.9) == pytest.approx([0.0], abs=1e-6)


def test_a_spread_is_found_again():
    """Rows of variance 4, clusters of 1: by analysis of variance over many draws."""
    chance = np.random.default_rng(0)
    drawn = 2 * chance.normal(size=(400, ROWS)) + chance.normal(size=(400, 8))[:, CLUSTERS]

    spread = Spread.of(drawn, CLUSTERS)

    assert (spread.row, spread.shared) == (pytest.approx(4, rel=0.05), pytest.approx(1, rel=0.1))
