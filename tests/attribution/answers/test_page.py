"""The page shows contributed text as text: whatever it holds, it is neither markup nor commands."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import AnswerScores, Explanation
from tribute.attribution.answers.page import CONTRIBUTORS, ROWS, marked, nats, plain, render

ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>"
RUN = {"run_id": "tiny-0123456789ab", "tag": "tiny@v1.0.0", "adapters": {"0": "a" * 64, "1": "b" * 64}}


def explanation(text="how do i draw a line", contributors=2, target="plotting", name="Ada & Söhne", predicted=True):
    """Ten rows on either side of 0."""
    scores = np.linspace(0.3, -0.3, 20)
    rows = pd.DataFrame(
        {
            "row_id": [f"ada-1:{line}" for line in range(20)],
            "contributor_id": "ada",
            "text": f"Please draw a line {ATTACK}",
            "target": target,
            "score": scores,
            "low": scores - 0.1,
            "high": scores + 0.1,
            "bm25": np.linspace(3, 0, 20),
        }
    )
    score = np.linspace(0.5, -0.1, contributors)
    people = pd.DataFrame(
        {
            "contributor_id": [f"c{place}" for place in range(contributors)],
            "name": name,
            "rows": 10,
            "score": score,
            "low": score - 0.2,
            "high": score + 0.2,
        }
    )
    losses = np.array([0.5, 0.7])
    moved = AnswerScores("plotting", predicted, losses, np.zeros((2, contributors)), np.zeros((2, 20)), False)
    return Explanation(text, moved, 2, 0.9, people, rows, Damping(100.0, 1.5, 0.8, 8))


class Reader(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize("where", ["text", "target", "name"])
def test_contributed_text_is_escaped(where):
    """No tag and no attribute comes from rows, names or the question."""
    honest = Reader(render(explanation(), RUN))

    page = render(explanation(**{where: ATTACK}), RUN)

    found = Reader(page)
    assert "script" not in found.tags
    assert set(found.tags) == set(honest.tags)
    assert set(found.attributes) == set(honest.attributes)
    assert "&lt;script&gt;" in page


def test_nothing_is_loaded():
    """One file: no script, no link, no address."""
    page = render(explanation(), RUN)

    assert not re.search(r"https?://|<link|<script|url\(|@import", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_shared_words_are_marked():
    """In rows, three words or more that the question has too."""
    page = render(explanation(), RUN)

    assert "Please <mark>draw a line</mark> &lt;script&gt;" in page


def test_marks_do_not_open_a_hole():
    """Text on both sides of a mark, and in it, is escaped."""
    assert marked("<b> a < b & c </b>", ["a < b & c"]) == "&lt;b&gt; <mark>a &lt; b &amp; c</mark> &lt;/b&gt;"


def test_control_characters_are_replaced():
    """Also those that turn the direction of writing; new lines and tabs stay."""
    assert plain("a\x1b[31mb\x00c\u202ed\te\nf") == "a\ufffd[31mb\ufffdc\ufffdd\te\nf"
    assert "\x1b" not in render(explanation(text="a\x1b[2J"), RUN)


def test_many_are_cut_and_counted():
    """The page stays readable with hundreds of contributors and rows, and says how many it left out."""
    page = render(explanation(contributors=300), RUN)

    assert page.count('class="whisker"') == CONTRIBUTORS
    assert f"and {300 - CONTRIBUTORS} more" in page
    assert page.count('class="about"') == 2 * ROWS + 5


def test_certainty_is_shown():
    """A row whose interval holds 0 is grey, the others have the colour of their sign."""
    page = render(explanation(), RUN)

    assert page.count('class="value plus"') == 7 + 5
    assert page.count('class="value minus"') == 7
    assert 'class="value none"' in page


@pytest.mark.parametrize(
    ("value", "largest", "shown"),
    [(0.5, 0.5, "+0.500"), (-0.5, 3.0, "−0.500"), (0.00123, 0.00123, "+0.00123"), (0.0, 0.0, "+0.000000000")],
)
def test_numbers_have_three_digits(value, largest, shown):
    """Of the largest in their table."""
    assert nats(value, largest) == shown
