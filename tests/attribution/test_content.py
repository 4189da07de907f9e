"""Theorems of distinct content: who says it first has it, and saying it again, by whoever, counts nothing."""

import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.attribution.content import distinct_content, shingles
from tribute.contributions.normal_form import words

SAID = ["how", "do", "i", "cancel", "my", "card", "please", "today"]
WORDS = st.lists(st.sampled_from(SAID), min_size=1, max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(st.sampled_from(["ada", "bob"]), WORDS), min_size=1, max_size=8)
often = settings(max_examples=200, deadline=None)


def content(rows, labels=("l",), target="l", seq=None):
    """Contributor → distinct content of (contributor, text) pairs, one contribution each, recorded in this order."""
    frame = pd.DataFrame(
        [
            {"row_id": f"x{place}:1", "contributor_id": name, "text": text, "target": target}
            for place, (name, text) in enumerate(rows)
        ]
    )
    order = seq or range(len(rows))
    contributions = {f"x{place}": {"seq": number} for place, number in enumerate(order)}
    return distinct_content(frame, {"contributions": contributions, "labels": list(labels)})


def test_runs_of_three_words_in_the_normal_form():
    """Case, punctuation and invisible characters make no new words; a short text is one run."""
    assert list(shingles(words("How do I can\u00adcel the CARD?"))) == [
        "how do i",
        "do i cancel",
        "i cancel the",
        "cancel the card",
    ]
    assert list(shingles(words("Thanks!"))) == ["thanks"]
    assert list(shingles(words("…"))) == []


def test_the_first_in_the_log_keeps_what_several_have():
    """The order is the registry's, not the file's."""
    rows = [("bob", "how do i cancel"), ("ada", "how do i cancel my card")]

    assert content(rows) == {"bob": 2, "ada": 2}
    assert content(rows, seq=[2, 1]) == {"ada": 4, "bob": 0}


@often
@given(ROWS, st.data())
def test_repeats_and_copies_add_nothing(rows, data):
    """A row handed in again, by its owner or by a copycat, changes nobody's count and adds none."""
    copy = data.draw(st.sampled_from(rows))[1]
    name = data.draw(st.sampled_from(["ada", "bob", "copycat"]))

    assert content([*rows, (name, copy)]) | {"copycat": 0} == content(rows) | {
        name: content(rows).get(name, 0),
        "copycat": 0,
    }


@often
@given(ROWS)
def test_no_content_is_counted_twice(rows):
    """Everybody's counts sum to no more than the distinct runs of the whole version."""
    assert sum(content(rows).values()) <= len({run for _, text in rows for run in shingles(words(text))})


DRAWN = [" ".join(random.Random(seed).choices([f"word{number}" for number in range(300)], k=9)) for seed in range(30)]


@pytest.mark.parametrize("name", ["ada", "bob"])
def test_fillers_renew_nothing(name: str):
    """Words put into a row make every run new; the row still says what it said, whoever hands it in."""
    rows = [("ada", text) for text in DRAWN]
    padded = [
        (name, " ".join(f"{word} filler{place}" if place % 3 else word for place, word in enumerate(text.split())))
        for text in DRAWN
    ]

    assert sum(content(rows).values()) == sum(content([*rows, *padded]).values()) == 7 * len(DRAWN)


def test_the_label_in_a_text_is_no_content():
    """A text stuffed with its label, or made of it, counts what is left."""
    texts = [("ada", f"{text} loan offer loan") for text in DRAWN]

    assert content(texts, labels=("loan offer",), target="loan offer") == {"ada": 7 * len(DRAWN)}
    assert content([("ada", "loan offer")], labels=("loan offer",), target="loan offer") == {"ada": 0}


def test_a_response_is_content_and_a_label_is_not():
    """What a row teaches to say counts; the name of a class does not."""
    assert content([("ada", "say it")], labels=(), target="a new answer here") == {"ada": 1 + 2}
    assert content([("ada", "say it")]) == {"ada": 1}
