"""Stand-ins: credits of rows sum to the gain, slopes are derivatives, and no name is asked."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax

from tests.attribution.credit.stand_ins import EVEN, OWNER, memory, probe
from tribute.attribution.credit.stand_in import path_credits

pytestmark = pytest.mark.numeric

STAND_INS = {"probe": probe, "memory": memory}
NOBODY, EVERYBODY = np.zeros(80), np.ones(80)


@pytest.fixture(params=STAND_INS)
def stand_in(request):
    """Not yet fitted."""
    return STAND_INS[request.param]()


def gain(stand_in, weights=EVERYBODY):
    return float((stand_in.losses(NOBODY) - stand_in.losses(weights)).mean())


def test_without_rows_the_probe_is_where_it_began():
    """The loss of the labels' own embeddings."""
    start = probe()
    logits = 5.0 * start.evaluation @ start.head.T

    losses = replace(start, length=0.3).losses(NOBODY)

    assert losses == pytest.approx(-log_softmax(logits, axis=1)[np.arange(60), start.answers], abs=1e-5)


def test_a_stand_in_gains_what_the_fine_tune_gained(stand_in):
    """By the smallest length that does: a shorter one gains less."""
    fitted = stand_in.fitted(0.1)

    assert 0.1 <= gain(fitted) < 0.12
    assert gain(replace(fitted, length=fitted.length / 1.2)) < 0.1


def test_a_stand_in_that_cannot_gain_as_much_gains_what_it_can(stand_in):
    """More than with much smaller or larger lengths."""
    fitted = stand_in.fitted(99.0)

    assert gain(fitted) >= max(gain(replace(fitted, length=fitted.length * factor)) for factor in (0.1, 10.0)) - 1e-6


def test_few_rows_teach_most(stand_in):
    """As a fine-tune's do: half of the rows gain far more than half, and two rows do not make the loss jump up."""
    fitted = stand_in.fitted(0.1)
    two = np.zeros(80)
    two[[0, 1]] = 1

    assert gain(fitted, (np.arange(80) % 2 == 0).astype(float)) > 0.6 * gain(fitted)
    assert gain(fitted, two) > -0.3 * gain(fitted)


def test_slopes_are_the_derivatives_of_the_losses(stand_in):
    """Central differences at weights that differ by row, for several readings at once."""
    fitted, chance = stand_in.fitted(0.1), np.random.default_rng(3)
    weights, readings = chance.uniform(0.3, 1, 80), chance.uniform(0, 1 / 30, (60, 3))

    slopes = fitted.slopes(weights, readings)

    for row in (0, 45, 70):
        step = 0.02 * (np.arange(80) == row)
        change = (fitted.losses(weights - step) - fitted.losses(weights + step)) @ readings / 0.04
        assert slopes[:, row] == pytest.approx(change, abs=2e-4 * max(1.0, np.abs(slopes).max()))


def test_credits_sum_to_what_the_stand_in_gained(stand_in):
    """Without a draw: the quadrature misses by less than a thousandth."""
    fitted = stand_in.fitted(0.1)

    credit = path_credits(fitted, 80, EVEN[:, None])[0]

    assert credit.sum() == pytest.approx(gain(fitted), rel=1e-3)


def test_credits_know_who_can_be_spared_and_who_harms(stand_in):
    """A row of those who teach the same earns less than one that teaches alone; wrong labels cost."""
    credit = path_credits(stand_in.fitted(0.1), 80, EVEN[:, None])[0]
    twins, other, alone, wrong = (credit[owner == OWNER].mean() for owner in range(4))

    assert wrong < 0
    assert alone > 1.2 * max(twins, other)
    assert twins == pytest.approx(other, abs=0.4 * alone)


def test_copies_earn_the_same(stand_in):
    """Rows are the players: two rows that are one to the model have one credit, whoever owns them."""
    arrays = {
        name: np.concatenate([values, values[:1]], axis=0)
        for name, values in vars(stand_in).items()
        if name in ("train", "targets")
    } or {
        name: np.hstack([values, values[:, :1]])
        for name, values in vars(stand_in).items()
        if name in ("near", "agreeing")
    }

    credit = path_credits(replace(stand_in, **arrays).fitted(0.1), 81, EVEN[:, None])[0]

    assert credit[0] == pytest.approx(credit[80], rel=1e-4)


def test_readings_add_up(stand_in):
    """Columns that add up to the whole have credits that do."""
    fitted, halves = stand_in.fitted(0.1), np.stack([EVEN * (np.arange(60) < 30), EVEN * (np.arange(60) >= 30)], axis=1)

    parts = path_credits(fitted, 80, halves)

    assert parts.shape == (2, 80)
    assert parts.sum(0) == pytest.approx(path_credits(fitted, 80, EVEN[:, None])[0], abs=1e-6)
