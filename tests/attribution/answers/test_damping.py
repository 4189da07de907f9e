"""The damping is the one whose predictions rank the retrainings as they came out."""

import numpy as np
import pytest

from tribute.attribution.answers.damping import DAMPINGS, linear_datamodelling_score, pick_damping
from tribute.attribution.card.metrics import rank_correlation


@pytest.fixture
def measured():
    """Losses of forty answers after eight retrainings."""
    return np.random.Generator(np.random.Philox(0)).normal(size=(8, 40))


def test_the_best_of_the_grid_is_picked(measured):
    """The nearer a damping's predictions are to the truth, the better; what is common to all retrainings is nothing."""
    noise = np.random.Generator(np.random.Philox(1)).normal(size=measured.shape)
    predicted = {damping: measured / 3 + 7 + abs(place - 4) * noise for place, damping in enumerate(DAMPINGS)}

    found = pick_damping(predicted, measured)

    assert found.damping == DAMPINGS[4]
    assert found.slope == pytest.approx(3)
    assert found.lds == pytest.approx(1)
    assert found.retrainings == 8


def test_predictions_of_the_wrong_sign_are_turned(measured):
    """By the slope, which belongs to what is predicted."""
    found = pick_damping({1.0: -measured}, measured)

    assert found.lds == pytest.approx(1)
    assert found.slope == pytest.approx(-1)


def test_the_best_of_eleven_that_say_nothing_says_nothing():
    """On what it was picked on the best looks good; what is told is how it does on a retraining that it never saw."""
    picked, told = [], []
    for draw in range(40):
        noise = np.random.Generator(np.random.Philox([draw, 2])).normal(size=(len(DAMPINGS) + 1, 8, 3))
        predicted, measured = dict(zip(DAMPINGS, noise[1:], strict=True)), noise[0]
        found = pick_damping(predicted, measured)
        picked.append(linear_datamodelling_score(predicted[found.damping], measured))
        told.append(found.lds)

    assert np.mean(picked) > 0.25
    assert np.mean(told) < 0.05


def test_the_score_is_the_mean_rank_correlation(measured):
    """Of every answer by itself, ties included."""
    predicted = np.random.Generator(np.random.Philox(3)).normal(size=measured.shape).round(0)

    each = [rank_correlation(*pair) for pair in zip(predicted.T, measured.T, strict=True)]

    assert linear_datamodelling_score(predicted, measured) == pytest.approx(np.mean(each))


def test_answers_that_nothing_changed_are_left_out(measured):
    """They have no rank."""
    still = np.concatenate([measured, np.ones((8, 5))], axis=1)

    assert linear_datamodelling_score(still, still) == pytest.approx(1)
