"""The earliest of equal rows stays; nothing that nearly repeats an evaluation row does.

Jaccard similarities equal those computed pair by pair with Python sets.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contributions.conftest import SCHEMA
from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import ContributedRow, Row, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import BASIC, Screening, excluded, find
from tribute.contributions.screening.contamination import SHINGLE, nearest

CHAT = DatasetSchema(name="chat", task="causal-lm")


def rows(contributor: str, *pairs: tuple[str, str]) -> list[ContributedRow]:
    lines = [Row(line, text, target, target) for line, (text, target) in enumerate(pairs, start=1)]
    return contributed(f"{contributor}-00000000", contributor, lines)


EVALUATION = rows("evaluation", ("compute the median of a sorted list", "statistics"))


def screen(rows, evaluation, schema):
    """Every row that is excluded as long as nobody has decided anything, in the order of `rows`."""
    return excluded(rows, find(Screening(rows, evaluation, schema, BASIC)), {})


def reasons(found):
    return [(one.row.row_id, one.reason, one.canonical.row_id) for one in found]


def test_duplicates_of_an_earlier_row():
    """Case and spacing hide nothing, within a contribution or across; the earliest row is canonical."""
    first = rows("ada", ("Draw a line", "plotting"), ("draw  a LINE", "plotting"))
    second = rows("bob", ("DRAW A LINE ", "plotting"), ("Draw a circle", "plotting"))

    found = screen([*first, *second], EVALUATION, SCHEMA)

    assert reasons(found) == [
        ("ada-00000000:2", "duplicate", "ada-00000000:1"),
        ("bob-00000000:1", "duplicate", "ada-00000000:1"),
    ]


def test_order_decides_who_was_first():
    """With the log's order turned round, so is the verdict: no clock and no name has a say."""
    ada, bob = rows("ada", ("Draw a line", "plotting")), rows("bob", ("draw a line", "plotting"))

    assert reasons(screen([*bob, *ada], EVALUATION, SCHEMA)) == [("ada-00000000:1", "duplicate", "bob-00000000:1")]


def test_same_text_other_label():
    """The later row waits; its own repeats are duplicates of it."""
    ada = rows("ada", ("Draw a line", "plotting"))
    bob = rows("bob", ("Draw a line", "statistics"), ("draw a line", "statistics"))

    assert reasons(screen([*ada, *bob], EVALUATION, SCHEMA)) == [
        ("bob-00000000:1", "conflicting_label", "ada-00000000:1"),
        ("bob-00000000:2", "duplicate", "bob-00000000:1"),
    ]


def test_prompts_may_have_several_responses():
    """For a causal model another response to the same prompt is no conflict."""
    ada = rows("ada", ("List files", "ls"), ("List files", "dir"))

    assert screen(ada, EVALUATION, CHAT) == []


def test_near_evaluation():
    """A row that differs from an evaluation row in one letter is out, whatever its label."""
    near = rows("ada", ("Compute the median of a sorted lists", "plotting"), ("Draw a line", "plotting"))

    found = screen(near, EVALUATION, SCHEMA)

    assert reasons(found) == [("ada-00000000:1", "near_evaluation", "evaluation-00000000:1")]
    assert SCHEMA.near_evaluation <= found[0].similarity < 1


def shingles(text: str) -> set[str]:
    """The 5-character substrings of the normalised text, written out."""
    plain = normalise(text)
    return {plain[start : start + SHINGLE] for start in range(max(1, len(plain) - SHINGLE + 1))}


@settings(deadline=None)
@given(
    st.lists(st.text("abc ", min_size=1), min_size=1, max_size=6),
    st.lists(st.text("abc ", min_size=1), min_size=1, max_size=6),
    st.sampled_from([0.1, 0.5, 0.7, 1.0]),
)
def test_similarity_is_exact(texts, others, threshold):
    """Every similarity from the threshold on is |A ∩ B| / |A ∪ B|, none is missed, the earliest best is named."""
    best, similarity = nearest(texts, others, threshold)

    for text, index, value in zip(texts, best, similarity, strict=True):
        a = shingles(text)
        expected = [len(a & shingles(other)) / len(a | shingles(other)) for other in others]
        if max(expected) < threshold - 1e-9:
            assert value == 0
        else:
            assert np.isclose(value, max(expected), atol=1e-9)
            assert index == int(np.argmax(expected))
