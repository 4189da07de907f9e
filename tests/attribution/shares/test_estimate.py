"""The estimate from in-run credit and rate designs: efficient, blind to names, and going to the truth."""

import numpy as np
import pytest

from tribute.attribution.shares.estimate import Design, combine, row_noise

pytestmark = pytest.mark.numeric

ROWS = np.array([30, 20, 10, 40])
TRUE = np.array([0.3, 0.1, -0.1, 0.2])


def observed(seed, off=0.0, noise=0.01, seeds=3):
    """In-run credits [seeds, contributors] that are off by `off` in one direction."""
    chance = np.random.default_rng(seed)
    credit = TRUE + off * np.array([1, -1, 1, -1]) + chance.normal(0, noise, (seeds, 4))
    return credit + ((TRUE.sum() - credit.sum(1)) / 4)[:, None]


def repetitions(count, noise, seed=0, blocks=(0, 1, 2, 3)):
    """Effects of blocks with noise in proportion to the root of their rows, drawn apart from `observed`'s."""
    chance, blocks = np.random.default_rng([seed, 1]), np.array(blocks)
    sizes = np.bincount(blocks, weights=ROWS)
    truth = np.bincount(blocks, weights=TRUE)
    return [Design(blocks, truth + chance.normal(0, noise * np.sqrt(sizes / 25))) for _ in range(count)]


NOISE = np.full(4, 1e-4)


def test_without_a_design_in_run_is_the_estimate():
    """Its mean over seeds, and its scatter the uncertainty."""
    credit = observed(0)

    found = combine(credit, NOISE, ROWS, credit.sum(1).mean(), [])

    assert found.credit == pytest.approx(credit.mean(0))
    assert found.errors() == pytest.approx(0.01 / np.sqrt(3), rel=0.8)


def test_credits_sum_to_the_total():
    """Whatever the designs sum to."""
    found = combine(observed(0), NOISE, ROWS, 0.5, repetitions(3, 0.05))

    assert found.credit.sum() == pytest.approx(0.5)


def test_many_repetitions_overrule_a_biased_in_run():
    """In-run off by 0.1 at everybody, 40 repetitions that are right on average."""
    found = combine(observed(0, off=0.1), NOISE, ROWS, 0.5, repetitions(40, 0.05))

    assert found.credit == pytest.approx(TRUE, abs=0.03)


def test_noisy_repetitions_are_weighed_against_a_good_in_run():
    """Over 20 draws the estimate is much closer to the truth than the design alone."""
    own, alone = [], []
    for seed in range(20):
        design = repetitions(2, 0.2, seed)
        own.append(combine(observed(seed), NOISE, ROWS, 0.5, design).credit)
        alone.append(np.mean([one.effects for one in design], axis=0))

    assert np.abs(np.array(own) - TRUE).mean() < 0.6 * np.abs(np.array(alone) - TRUE).mean()


def test_splitting_a_contributor_inside_its_block_changes_no_sum():
    """Contributor 3 under two names, same rows and draws: to the last digits the same for everybody."""
    credit, designs = observed(0), repetitions(3, 0.1, blocks=(0, 1, 2, 0))
    whole = combine(credit, NOISE, ROWS, 0.5, designs)

    names = np.array([*range(4), 3])
    part = np.array([1, 1, 1, 0.25, 0.75])
    split = combine(
        credit[:, names] * part,
        NOISE[names] * part,
        ROWS[names] * part,
        0.5,
        [Design(one.blocks[names], one.effects) for one in designs],
    )

    assert [*split.credit[:3], split.credit[3:].sum()] == pytest.approx(whole.credit.tolist(), abs=1e-12)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_ninety_per_cent_intervals_cover_about_ninety_per_cent(count):
    """Over 200 draws of the model that the estimate assumes; without a design in-run must be right."""
    inside = []
    for seed in range(200):
        credit = observed(seed, off=0.0 if count == 0 else 0.02, noise=0.02, seeds=4)
        found = combine(credit, np.full(4, 4e-4), ROWS, 0.5, repetitions(count, 0.03, seed))
        inside.append(np.abs(found.credit - TRUE) <= found.margin(0.9))

    assert 0.85 <= np.mean(inside) <= 0.95


def test_the_operator_gives_the_estimate_again():
    """The same linear map serves other readings, such as parts of the evaluation."""
    credit, designs = observed(0), repetitions(2, 0.1)
    found = combine(credit, NOISE, ROWS, 0.5, designs)

    readings = np.concatenate([credit.mean(0), *(one.effects for one in designs), [0.5]])

    assert found.operator @ readings == pytest.approx(found.credit)


def test_row_noise_adds_up_over_rows():
    """Two rows of one owner: the sum of their variances between seeds."""
    scores = np.array([[1.0, 2.0, 5.0], [3.0, 2.0, 7.0]])

    assert row_noise(scores, np.array([0, 0, 1])).tolist() == [2.0, 2.0]


def test_the_choice_of_evaluation_rows_widens_the_intervals():
    """Folds that disagree add the variance of their mean; folds that agree add nothing."""
    credit = observed(0)
    found = combine(credit, NOISE, ROWS, 0.5, [])
    same = np.tile([*credit.mean(0), 0.5], (8, 1))
    apart = same + np.random.default_rng(0).normal(0, 0.08, same.shape)

    added = np.sqrt(found.seen_through(apart).errors() ** 2 - found.errors() ** 2)

    assert found.seen_through(same).errors() == pytest.approx(found.errors())
    assert added == pytest.approx(0.08 / np.sqrt(8), rel=0.6)


def test_without_a_design_probe_and_in_run_are_averaged():
    """Each half of the way, though in-run hardly scatters; what is left to know is about half of their distance."""
    credit, apart = observed(0, noise=1e-4), 0.06 * np.array([1, -1, 1, -1]) * np.sqrt(ROWS / 25)
    probe = Design(np.arange(4), credit.mean(0) + apart - apart.mean())

    found = combine(credit, np.full(4, 1e-8), ROWS, 0.5, [], [probe])

    assert found.credit == pytest.approx((credit.mean(0) + probe.effects) / 2, abs=0.01)
    assert found.errors() == pytest.approx(np.abs(apart) / 2, rel=0.4)


def test_repetitions_say_which_of_the_two_to_believe():
    """A probe that is right and an in-run that is off by 0.1: five noisy repetitions lean to the probe."""
    right = Design(np.arange(4), TRUE + np.array([0.005, -0.005, 0.005, -0.005]))
    found = [
        combine(observed(seed, off=0.1), NOISE, ROWS, 0.5, repetitions(5, 0.08, seed), some).credit
        for seed in range(10)
        for some in ([], [right])
    ]

    off = [np.abs(one - TRUE).sum() for one in found]
    assert np.mean(off[1::2]) < 0.6 * np.mean(off[::2])


def test_the_standard_error_is_what_other_seeds_and_draws_would_change():
    """Without a design half of in-run's scatter, as in-run is half of the estimate; how far either is off is apart."""
    credit = observed(0, noise=0.02)
    probe = Design(np.arange(4), TRUE + 0.05 * np.array([1, -1, -1, 1]))
    alone, both = combine(credit, NOISE, ROWS, 0.5, []), combine(credit, NOISE, ROWS, 0.5, [], [probe])

    assert alone.standard_errors() == pytest.approx(alone.errors())
    assert (both.standard_errors() < 0.8 * alone.standard_errors()).all()
    assert (both.errors() > both.standard_errors()).all()


def test_the_standard_error_is_the_scatter_over_draws():
    """Over 200 draws of seeds and repetitions the credits scatter as the standard errors say."""
    found = [
        combine(observed(seed, noise=0.02), np.full(4, 4e-4), ROWS, 0.5, repetitions(4, 0.05, seed))
        for seed in range(200)
    ]

    scatter = np.std([one.credit for one in found], axis=0)
    assert np.mean([one.standard_errors() for one in found], axis=0) == pytest.approx(scatter, rel=0.35)


@pytest.mark.parametrize("designs", [0, 2])
def test_a_single_contributor_has_it_all(designs):
    """Probe and repetitions can say nothing else."""
    alone = Design(np.zeros(1, dtype=int), np.array([0.45]))

    found = combine(np.array([[0.4], [0.5]]), np.array([0.01]), np.array([30]), 0.45, [alone] * designs, [alone])

    assert found.credit == pytest.approx([0.45])
    assert np.isfinite(found.margin(0.9)).all()
    assert found.operator.shape == (1, 3 + designs)
