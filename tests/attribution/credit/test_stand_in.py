"""Stand-ins: credits of rows sum to the gain, slopes are derivatives, and no name is asked."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import log_softmax

from tests.attribution.credit.stand_ins import EVEN, OWNER, memory, probe
from tribute.attribution.credit.memory import Memory, kernel_of
from tribute.attribution.credit.stand_in import DRAWS, are_settled, content_clusters, drawn_credits, path_credits

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


def test_every_draws_credits_sum_to_what_the_stand_in_gained(stand_in):
    """They telescope along an order; along all weights alike the quadrature misses by less than three thousandths."""
    fitted = stand_in.fitted(0.1)

    draws, path = drawn_credits(fitted, 80, EVEN), path_credits(fitted, 80, EVEN[:, None])[0]

    assert draws.shape == (DRAWS, 80)
    assert draws.sum(1) == pytest.approx(gain(fitted), rel=1e-5)
    assert path.sum() == pytest.approx(gain(fitted), rel=3e-3)


def test_draws_go_to_the_marginals_of_rows_in_random_company(stand_in):
    """Brute force: what each owner's rows add where they come in singly, over 150 random orders of all rows."""
    fitted, chance, added = stand_in.fitted(0.1), np.random.default_rng(5), np.zeros(4)
    for _ in range(150):
        inside, before = np.zeros(80), fitted.losses(NOBODY).mean()
        for row in chance.permutation(80):
            inside[row] = 1
            after = fitted.losses(inside).mean()
            added[OWNER[row]] += (before - after) / 150
            before = after

    draws = drawn_credits(fitted, 80, EVEN)

    sums = np.stack([np.bincount(OWNER, weights=draw) for draw in draws])
    error = np.sqrt(sums.var(0, ddof=1) / DRAWS)
    assert sums.mean(0) == pytest.approx(added, abs=0.01 + 3 * error.max())
    assert error.max() < 0.15 * gain(fitted)


def test_credits_know_who_can_be_spared_and_who_harms(stand_in):
    """A row of those who teach the same earns less than one that teaches alone; wrong labels cost."""
    credit = drawn_credits(stand_in.fitted(0.1), 80, EVEN).mean(0)
    twins, other, alone, wrong = (credit[owner == OWNER].mean() for owner in range(4))

    assert wrong < 0
    assert alone > 1.2 * max(twins, other)
    assert twins == pytest.approx(other, abs=0.4 * alone)


def test_rows_of_like_content_are_of_one_cluster(stand_in):
    """Two copies always; and rows of one label are more often together than rows of two."""
    clusters = content_clusters(stand_in, 5)
    taught = np.array([*[0, 1] * 20, *[2] * 20])
    together = clusters[:60, None] == clusters[:60]
    alike = taught[:, None] == taught

    assert set(clusters) == set(range(5))
    assert together[alike].mean() > 3 * together[~alike].mean()


def test_clusters_are_settled_on_whichever_side_a_row_at_a_boundary_falls():
    """A row halfway between two centres may be of either cluster; one that lies elsewhere may not."""
    sides = np.repeat([-1.0, 1.0], 40)[:, None] * np.array([1.0, 0.0]) + np.random.default_rng(0).normal(
        0, 0.1, (80, 2)
    )
    content = np.vstack([sides, (sides[:40].mean(0) + sides[40:].mean(0)) / 2])
    rows = SimpleNamespace(content=content)
    left, right = (np.array([0] * 40 + [1] * 40 + [side]) for side in (0, 1))
    moved = np.where(np.arange(81) == 5, 1, left)

    assert are_settled(rows, content_clusters(rows, 2))
    assert not are_settled(rows, moved)
    # With the row its cluster's centre comes a little nearer, so either side is settled.
    assert are_settled(rows, left)
    assert are_settled(rows, right)


def test_a_memory_is_of_rows_whatever_the_order_of_their_tokens():
    """Tokens are summed by row, also where a row has none; each meets the evaluation by its kernel alone."""
    chance = np.random.default_rng(0)
    states = chance.normal(size=(9, 4)), chance.normal(size=(5, 4))
    labels, rows = (chance.integers(0, 2, 9), chance.integers(0, 2, 5)), np.array([3, 0, 3, 1, 0, 3, 1, 1, 3])
    wide = kernel_of(*states)[1]

    made = Memory.of(states, labels, (rows, np.arange(5)), np.full(5, 0.5), 5)

    close = np.exp(-((states[1][:, None] - states[0]) ** 2).sum(-1) / wide)
    inside = rows[:, None] == np.arange(5)
    assert np.allclose(made.near, close @ inside, rtol=1e-5)
    assert np.allclose(made.agreeing, (close * (labels[1][:, None] == labels[0])) @ inside, rtol=1e-5)
    assert not made.near[:, [2, 4]].any()


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
