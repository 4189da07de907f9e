"""Theorem: what an addendum names adds up to what the adapter and the sources gained, each where it gained."""

import numpy as np
import pytest

from tribute.services.explaining import Explained, Retrieved, explained
from tribute.services.meter import STEPS, masked, nats

MASK = "00" * 32
NAT = STEPS


def moved(gain, reached, credits, retrieved=None):
    """The addendum of an answer whose rows are `ada`'s and `bob`'s in turn."""
    names = ["ada", "bob"] * len(credits)
    answer = Explained(gain, reached, np.array(credits, dtype=float), names[: len(credits)], {"ada": 0.1})
    sources = Retrieved(retrieved or {}, sum(own for own in (retrieved or {}).values() if own > 0))
    return explained(answer, MASK, STEPS, sources)


def test_training_and_sources_divide_by_what_they_gained():
    """Credits add up to both gains, and the sources' credit has no error of the training's."""
    training = moved(2.0, 1.9, [3.0, -1.0], {"ada": NAT, "cyd": 2 * NAT})

    assert training.credits == {"ada": (4 * NAT, 3 * NAT), "bob": (-NAT, NAT), "cyd": (2 * NAT, 0)}
    assert sum(own for own, _ in training.credits.values()) == 5 * NAT
    assert training.figures.positive == 6 * NAT
    assert (training.figures.status, training.figures.part) == ("explained", STEPS)
    shares = {line["contributor"]: float(line["share"]) for line in training.field["contributors"]}
    expected = {"ada": 0.8, "bob": -0.2, "cyd": 0.4}
    assert shares == pytest.approx({masked(MASK, name): share for name, share in expected.items()})


@pytest.mark.parametrize(("gain", "reached", "part"), [(3.0, 1.0, STEPS // 4), (-1.0, 0.0, STEPS), (-1.0, -0.9, STEPS)])
def test_sources_alone_are_named_for_their_part(gain, reached, part):
    """Where the training cannot be told, the sources get what they gained of both; where it gained nothing, all."""
    training = moved(gain, reached, [0.1, 0.1], {"cyd": NAT})

    assert training.credits == {"cyd": (NAT, 0)}
    assert (training.figures.status, training.figures.part) == ("explained", part)
    assert training.field["retrieved"] == nats(NAT)


def test_sources_that_hurt_name_nobody():
    """The training's part is divided as if there were none."""
    assert moved(2.0, 1.9, [3.0, -1.0], {"cyd": -NAT}) == moved(2.0, 1.9, [3.0, -1.0])
    assert moved(-1.0, -1.0, [0.1, 0.1], {"cyd": -NAT}).credits == {}
