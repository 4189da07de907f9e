"""Theorem: rows that a model is worse with are found on evaluation rows that pay nobody, and good rows stay."""

import numpy as np

from tribute.attribution.credit import Probe, find_harm, unpaid_rows
from tribute.attribution.credit.harm import _upper_ends

LABELS, WIDTH, EACH = 4, 24, 40


def world(seed: int, wrong: int = 0) -> Probe:
    """Texts scatter around their label; of the first label's surroundings `wrong` more rows bear the second's."""
    chance = np.random.default_rng(seed)
    head, apart = (np.linalg.qr(chance.normal(size=(WIDTH, WIDTH)))[0][:LABELS] for _ in range(2))
    centres = 0.6 * head + 0.8 * apart

    def texts(labels: np.ndarray) -> np.ndarray:
        vectors = centres[labels] + chance.normal(scale=0.2, size=(len(labels), WIDTH))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    good, asked = np.repeat(np.arange(LABELS), EACH), np.repeat(np.arange(LABELS), EACH // 2)
    train = texts(np.concatenate([good, np.zeros(wrong, int)]))
    targets = np.concatenate([good, np.ones(wrong, int)])
    return Probe(train, targets, texts(asked), asked, head.astype(np.float32), 20.0).fitted(np.inf)


def test_planted_rows_are_found_and_nothing_else():
    """Twenty-four rows of one topic under another's label: most are out, and at most one good row in a hundred."""
    out = np.stack([find_harm(world(seed, wrong=24)).harmful for seed in range(4)])

    assert out[:, LABELS * EACH :].mean() > 0.5
    assert out[:, : LABELS * EACH].mean() <= 0.01


def test_honest_worlds_lose_at_most_a_hundredth_of_their_rows():
    """Over six worlds without a wrong row."""
    out = [find_harm(world(seed)).harmful for seed in range(6)]

    assert np.concatenate(out).mean() <= 0.01


def test_good_rows_beside_harmful_ones_stay():
    """Framing: of a harmful group only rows that are below zero themselves are out."""
    probe = world(0, wrong=24)

    found = find_harm(probe)

    assert found.harmful.any()
    assert (found.credit[found.harmful] < 0).all()
    assert (found.high[found.harmful] < 0).all()
    assert not found.harmful[found.credit >= 0].any()


def test_rows_that_find_harm_are_spread_and_never_all_of_a_slice():
    """A quarter of each slice; a slice with one row keeps it for pay."""
    slices = ["a"] * 40 + ["b"] * 20 + ["c"]

    places = unpaid_rows(slices, 0.25)

    assert [sum(slices[place] == name for place in places) for name in "abc"] == [10, 5, 0]
    assert unpaid_rows(["a", "b"], 0.5) == []


def test_nothing_is_certain_of_one_row_a_label():
    """No row tells how much the rows of its label scatter, so nobody is out."""
    credits = np.array([[-1.0, 0.5], [-2.0, 0.5]])

    assert _upper_ends(credits, np.array([0, 1])).tolist() == [np.inf, np.inf]
    assert (_upper_ends(credits, np.array([0, 0])) < np.inf).all()
