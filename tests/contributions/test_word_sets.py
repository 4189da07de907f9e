"""Two texts that cover a third are found, and how much of it they have."""

import numpy as np
import pytest

from tribute.contributions.word_sets import WordSets

TEXTS = ["red green blue grey", "red green", "blue grey", "red blue", "pink gold", "gold"]


def test_the_two_texts_that_have_most_of_a_third():
    """Together they have all of it; the best of the others only what its own two words weigh."""
    sets, everybody = WordSets(TEXTS), np.array([False, True, True, True, True, True])

    pairs, most, others = sets.two_covers(np.array([0]), everybody)

    assert set(pairs[0].tolist()) == {1, 2}
    assert most[0] == pytest.approx(1)
    weights = {word: np.log(6 / count) for word, count in {"red": 3, "green": 2, "blue": 3, "grey": 2}.items()}
    assert others[0] == pytest.approx((weights["red"] + weights["blue"]) / sum(weights.values()))


def test_a_text_that_one_other_has_stands_twice_and_a_strange_one_nowhere():
    """Who is not allowed covers nothing."""
    sets = WordSets(TEXTS)

    pairs, most, others = sets.two_covers(np.array([5, 4]), np.array([True] * 5 + [False]))
    nobody, none, _ = sets.two_covers(np.array([4]), np.array([True] * 4 + [False, False]))

    assert (pairs[0].tolist(), most[0], others[0]) == ([4, 4], 1, 0)
    assert (nobody[0].tolist(), none[0]) == ([-1, -1], 0)
