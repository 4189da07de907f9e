"""Spans show what two texts share word for word, and nothing that they do not."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.attribution.answers.lexical import shared_spans


@pytest.mark.parametrize(
    ("text", "other", "shared"),
    [
        ("How do I say hello in Italian", "please: how do i  say goodbye in italian", ["How do I say"]),
        ("a b c x d e f", "a b c y d e f", ["a b c", "d e f"]),
        ("a b c d", "b c d a b c", ["a b c"]),
        ("a b", "a b", []),
        ("one, two", "one, two!", ["one, two"]),
        ("Straße am Fluss", "STRASSE AM FLUSS", ["Straße am Fluss"]),
        ("", "a b c", []),
        ("a b c", "", []),
    ],
)
def test_spans(text, other, shared):
    """Three words or more in a row, whatever case and spaces; the longest from the left, none overlapping."""
    assert [text[start:end] for start, end in shared_spans(text, [other])] == shared


def test_any_of_several_texts_will_do():
    """Question and answer are looked through alike."""
    assert shared_spans("draw a line with colour", ["nothing", "please draw a line"]) == [(0, 11)]


@given(st.text(alphabet="ab c.\n", max_size=40), st.text(alphabet="ab c.\n", max_size=40))
def test_every_span_is_in_both(text, other):
    """In order, apart from each other, and word for word in the other text."""
    spans = shared_spans(text, [other])

    plain = " ".join(" ".join(other.replace(".", " . ").split()).split())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for start, end in spans:
        assert " ".join(text[start:end].replace(".", " . ").split()) in plain
