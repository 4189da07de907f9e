"""Theorems of the reliability: a worse figure never counts more, there is no cliff, and the weakest decides."""

import copy
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.cards import CARD, UNMEASURED
from tribute.rewards.allocation import reliability as grades
from tribute.rewards.allocation.gate import judge
from tribute.rewards.policy.policy import Gate

NOTHING = dict.fromkeys(("leave_one_out_margin", "duplicate_excluded", "shuffled_below_zero", "seed_split", "mismatch"))
THOUSANDTHS = st.integers(0, 3000).map(lambda steps: Decimal(steps).scaleb(-3))
often = settings(max_examples=500, deadline=None)


def w(card, **settings_):
    return judge(card, Gate(**settings_), "content").reliability


def worse(path, value):
    card = copy.deepcopy(CARD)
    *parents, key = path.split(".")
    node = card
    for parent in parents:
        node = node[parent]
    node[key] = value
    return card


@pytest.mark.parametrize(
    ("path", "value", "counts"),
    [
        ("seed_split", 0.3, "1.000"),
        ("seed_split", 0.301, "0.997"),
        ("seed_split", 0.525, "0.500"),
        ("seed_split", 0.75, "0.000"),
        ("seed_split", 1.9, "0.000"),
        ("mismatch", [0.05, -0.2], "1.000"),
        ("mismatch", [0.35, -0.2], "0.500"),
        ("mismatch", [0.1, -0.5], "0.000"),
        ("leave_one_out.spearman", 0.85, "1.000"),
        ("leave_one_out.spearman", 0.775, "0.500"),
        ("leave_one_out.spearman", 0.7, "0.000"),
        ("controls.duplicate.excluded", 12, "1.000"),
        ("controls.duplicate.excluded", 9, "0.750"),
        ("controls.duplicate.excluded", 0, "0.000"),
        ("controls.shuffled.high", -0.001, "1.000"),
        ("controls.shuffled.high", 0.0312, "0.500"),
        ("controls.shuffled.credit", 0.0, "1.000"),
        ("told_from_content.names", 1, "1.000"),
    ],
)
def test_each_figure_falls_evenly_from_its_limit(path, value, counts):
    """1 within the limit, half way at half way, 0 at 2.5 times the limit; the rest of the card is good."""
    assert str(w(worse(path, value))) == counts


def test_where_nobody_can_be_told_from_content_it_pays():
    """A policy that asks for it pays by content alone, and says why; one that does not ask is paid as before."""
    card = worse("told_from_content.names", 0)

    verdict = judge(card, Gate(told_from_content=True), "content")

    assert verdict.reliability == 0
    assert verdict.weakest == "shares told from content"
    assert "by distinct content, not by credit" in verdict.sentence
    assert {check.found for check in verdict.checks if check.name == verdict.weakest} == {"0 of 4 differ"}
    assert w(card) == 1
    assert w({key: value for key, value in CARD.items() if key != "told_from_content"}, told_from_content=True) == 0


@often
@given(THOUSANDTHS, THOUSANDTHS, THOUSANDTHS, st.integers(1001, 9000))
def test_a_worse_figure_never_counts_more(limit, first, second, multiple):
    """`falling` is monotone, stays in 0 to 1, and loses no more than its slope between two thousandths."""
    zero_at = Decimal(multiple).scaleb(-3)
    better, poorer = sorted((first, second))

    high, low = (grades.falling(value, limit, zero_at) for value in (better, poorer))

    assert 0 <= low <= high <= 1
    if limit:
        slope = Fraction(1) / (Fraction(limit) * (Fraction(zero_at) - 1))
        assert Fraction(high) - Fraction(low) <= slope * Fraction(poorer - better) + Fraction(1, 1000)


@often
@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_or_higher_interval_of_shuffled_labels_never_counts_more(credit, width, more):
    """The control counts 1 below 0, 0 where its middle is not, and falls between as its end rises."""
    first, second = (grades.below_zero(credit, credit + wide) for wide in (width, width + more))

    assert 0 <= second <= first <= 1
    assert grades.below_zero(credit + more, credit + more + width) <= first


@pytest.mark.parametrize(
    ("settings_", "counts"), [({}, "0.000"), ({"unmeasured": "0.25"}, "0.250"), (NOTHING, "1.000")]
)
def test_what_was_not_measured_counts_as_the_policy_says(settings_, counts):
    """By default nothing; a policy that asks for no check counts credit in full."""
    assert str(w(UNMEASURED, **settings_)) == counts


def test_the_weakest_check_decides_and_is_named():
    """Neither mean nor product: w is the least, and the sentence says which check it is of."""
    verdict = judge(worse("seed_split", 0.525) | {"mismatch": [0.23]}, Gate(), "content")

    assert verdict.reliability == Decimal("0.500")
    assert [(check.name, check.counts, check.passed) for check in verdict.checks][0::4] == [
        ("credits against the gain", "0.900", False),
        ("two halves of the seeds", "0.500", False),
    ]
    assert verdict.sentence == (
        "This period is paid 50.0 % by credit and 50.0 % by distinct content: credit counts as far as its weakest "
        "check allows (two halves of the seeds)."
    )
    assert verdict.words == "50.0 % credit"
