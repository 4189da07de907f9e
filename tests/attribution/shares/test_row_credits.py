"""Two witnesses, one table of rows: each counts by what it can be believed, and none by how loud it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit, _pulled, row_credits
from tribute.errors import AttributionError

pytestmark = pytest.mark.numeric

ROWS = 60
CLUSTERS = np.arange(ROWS) * 5 // ROWS
CHANCE = np.random.default_rng(0)
CREDIT = CHANCE.normal(0.01, 0.01, (2, ROWS))
OTHER = CHANCE.normal(0.01, 0.01, ROWS)


def folds(credit):
    return np.repeat(credit[None], 8, axis=0)


def walks(credit=CREDIT, off=(0.0, 0.0)):
    """A walk per seed whose sum misses the gain by `off`."""
    return [
        InRunCredit(seed, c, folds(c), float(c.sum() / (1 + o)))
        for seed, (c, o) in enumerate(zip(credit, off, strict=True))
    ]


def stand_in(credit=OTHER, part=1.0):
    """It gained `part` of what was wanted."""
    return StandInCredit(credit[None], folds(credit), CLUSTERS, float(credit.sum() / part), float(credit.sum()))


def test_the_table_sums_to_the_gain():
    """Its mean over seeds and over folds."""
    table = row_credits(walks(), stand_in(), CLUSTERS, 0.7)

    assert table.credit.mean(0).sum() == pytest.approx(0.7)
    assert table.folds.mean(0).sum() == pytest.approx(0.7)
    assert table.credit.shape == (2, ROWS)


@settings(max_examples=30)
@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_no_witness_counts_for_more_because_its_numbers_are_larger(first, second):
    """Nats are not compared between witnesses, only shares."""
    plain = row_credits(walks(), stand_in(), CLUSTERS, 0.7)

    scaled = row_credits(walks(CREDIT * first), stand_in(OTHER * second), CLUSTERS, 0.7)

    assert scaled.credit == pytest.approx(plain.credit, rel=1e-9)


def test_what_the_witnesses_disagree_on_is_spread_over_like_rows():
    """Within a cluster only what both see sets rows apart; what a cluster has does not change."""
    signal, noise = CHANCE.normal(0, 0.01, ROWS), CHANCE.normal(0, 0.01, (3, ROWS))
    first, second = 0.01 + signal + noise[:2], 0.01 + signal + noise[2]

    loud = row_credits(walks(0.01 + noise[:2]), stand_in(second), CLUSTERS, 0.7).credit.mean(0)
    table = row_credits(walks(first), stand_in(second), CLUSTERS, 0.7)

    found, true = table.credit.mean(0), signal
    within = [values - np.bincount(CLUSTERS, weights=values)[CLUSTERS] / 12 for values in (found, loud, true)]
    assert np.std(within[1]) < 0.5 * np.std(within[0])
    assert np.corrcoef(within[0], within[2])[0, 1] > 0.7
    for draws in (table.draws, table.folds):
        assert np.std(draws[0] - np.bincount(CLUSTERS, weights=draws[0])[CLUSTERS] / 12) > 0


def test_rows_that_a_sure_witness_sets_apart_stay_apart():
    """However loud the other one is: they agree on what they say together, which is almost the sure one's word."""
    signal, noise = CHANCE.normal(0, 0.01, ROWS), CHANCE.normal(0, 0.04, (2, ROWS))

    table = row_credits(walks(0.02 + signal + noise), stand_in(0.02 + signal), CLUSTERS, float((0.02 + signal).sum()))

    within = [
        values - np.bincount(CLUSTERS, weights=values)[CLUSTERS] / 12 for values in (table.credit.mean(0), signal)
    ]
    assert np.std(within[0]) > 0.6 * np.std(within[1])
    assert np.corrcoef(*within)[0, 1] > 0.9


@settings(max_examples=20)
@given(st.floats(0.2, 0.9))
def test_pulling_moves_no_credit_between_clusters(kept):
    """Of any rows, to 1e-12."""
    pulled = _pulled(CREDIT, CLUSTERS, kept)

    for before, after in zip(CREDIT, pulled, strict=True):
        assert np.bincount(CLUSTERS, weights=after) == pytest.approx(np.bincount(CLUSTERS, weights=before), abs=1e-12)
    assert np.std(pulled) < np.std(CREDIT)


def part_of_in_run(seeds, draws):
    """What of the table is in-run credit, 0 to 1."""
    first = [InRunCredit(seed, c, folds(c), float(c.sum())) for seed, c in enumerate(seeds)]
    second = StandInCredit(
        draws, folds(draws.mean(0)), CLUSTERS, float(draws.mean(0).sum()), float(draws.mean(0).sum())
    )
    table = row_credits(first, second, CLUSTERS, 1.0)
    mass = np.maximum(
        np.bincount(CLUSTERS, weights=np.mean([c * w.scale for c, w in zip(seeds, first, strict=True)], 0)), 0
    )
    return table.per_in_run * mass.sum()


def by_cluster(*parts):
    """Rows' credits whose clusters have these sums."""
    return np.array(parts)[CLUSTERS] / 12


TRUE = by_cluster(0.3, 0.25, 0.2, 0.15, 0.1)
FIRST, SECOND = by_cluster(0.1, -0.1, 0, 0, 0), by_cluster(0, 0, 0.05, -0.05, 0)


def test_each_witness_counts_by_the_inverse_of_its_variance():
    """Where both are right on average: ±0.1 over two seeds against ±0.05 over two draws, so 1 to 4."""
    part = part_of_in_run(np.stack([TRUE + FIRST, TRUE - FIRST]), np.stack([TRUE + SECOND, TRUE - SECOND]))

    assert part == pytest.approx(0.2)


def test_what_scatter_does_not_explain_is_the_error_of_both_alike():
    """So two witnesses that hardly scatter and differ count the same, and neither is shut out for its scatter alone."""
    off, small = by_cluster(0.15, -0.15, 0, 0, 0), 0.01

    even = part_of_in_run(np.stack([TRUE + small * FIRST, TRUE - small * FIRST]), np.stack([TRUE + off, TRUE + off]))
    less = part_of_in_run(np.stack([TRUE + FIRST, TRUE - FIRST]), np.stack([TRUE + off, TRUE + off]))

    assert even == pytest.approx(0.5, abs=0.001)
    assert less == pytest.approx(0.0125 / 0.045)


def test_a_single_seed_counts_a_quarter():
    """How it scatters is not known: half of what lies between the two is taken for that, and the rest for either's."""
    off = by_cluster(0.1, 0, 0, 0, -0.1)

    assert part_of_in_run(TRUE[None], np.stack([TRUE + off, TRUE + off])) == pytest.approx(0.25)


def test_witnesses_that_say_the_same_count_alike():
    """No variance is left to weigh them by."""
    assert part_of_in_run(np.stack([TRUE, TRUE]), TRUE[None]) == pytest.approx(0.5)


def test_credits_that_cancel_do_not_outweigh_those_that_do_not():
    """In-run credits of ± three times the gain over clusters count for what they did."""
    loud = CREDIT + (3 * np.array([1, -1, 1, -1, 0]) / 12)[CLUSTERS]

    table = row_credits(walks(loud), stand_in(), CLUSTERS, 1.0)

    mass = np.maximum(np.bincount(CLUSTERS, weights=table.credit.mean(0)), 0).sum()
    assert mass < 2.5


@pytest.mark.parametrize(
    ("off", "weight"), [(0.1, 1.0), (-0.2, 1.0), (0.35, 0.5), (-0.35, 0.5), (0.5, 0.0), (1.66, 0.0)]
)
def test_a_mismatch_lowers_the_weight(off, weight):
    """Nothing up to 20 %, to nothing at 50 %, whichever sign."""
    assert walks(off=(off, 0.0))[0].weight == pytest.approx(weight)


def test_a_walk_of_no_weight_changes_nothing():
    """Whatever it says."""
    table = row_credits(walks(off=(0.9, 0.0)), stand_in(), CLUSTERS, 0.7)

    other = row_credits(walks(np.stack([CREDIT[1][::-1], CREDIT[1]]), off=(0.9, 0.0)), stand_in(), CLUSTERS, 0.7)

    assert other.credit == pytest.approx(table.credit)


@pytest.mark.parametrize(("part", "weight"), [(1.0, 1.0), (0.6, 1.0), (0.4, 0.0)])
def test_a_stand_in_that_learned_less_than_half_is_none(part, weight):
    """Then the walks bear it alone, and no distance is known."""
    other = stand_in(part=part)

    table = row_credits(walks(), other, CLUSTERS, 0.7)

    assert other.weight == weight
    assert table.distance.any() == bool(weight)


def test_where_no_witness_is_left_the_worst_seed_is_named():
    """With both sums and the setting that helps."""
    with pytest.raises(AttributionError, match=r"seed 0: the credits along its training sum to .*raise finetuning"):
        row_credits(walks(off=(2.0, 0.9)), stand_in(part=0.1), CLUSTERS, 0.7)
