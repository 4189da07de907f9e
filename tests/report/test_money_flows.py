"""Money in the figure is the money of the allocation: splitting and grouping move no minor unit.

For every contributor, Σ over topics of its flows = its amount; grouping keeps the sum of all flows.
"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.formatting import money
from tribute.report.money_flows import NO_TOPIC, Flow, flows, grouped, split

names = st.text("abcdefgh", min_size=1, max_size=3)
credits = st.dictionaries(names, st.floats(-1e3, 1e3, allow_subnormal=False), max_size=20)
amounts = st.integers(0, 10**21)


@given(amounts, credits)
def test_parts_sum_to_the_amount_exactly(minor, weights):
    """However wild the weights, not one minor unit is lost or made."""
    parts = split(minor, weights)

    assert sum(parts.values()) == minor
    assert all(part >= 0 for part in parts.values())


@given(amounts, credits)
def test_no_money_flows_to_a_topic_without_positive_credit(minor, weights):
    """A part is paid only where the weight is above zero, or under NO_TOPIC where there is none."""
    parts = split(minor, weights)

    assert all(topic == NO_TOPIC or weights[topic] > 0 for topic in parts)


def test_split_follows_the_weights():
    """Proportional amounts stay proportional; the odd unit goes to the largest remainder."""
    parts = split(1001, {"statistics": 0.3, "plotting": 0.1, "graphs": -0.5})

    assert parts == {"statistics": 751, "plotting": 250}


@given(st.dictionaries(names, st.tuples(amounts, credits), max_size=30))
def test_every_contributor_gets_its_amount(people):
    """The flows into a contributor sum to its amount in the allocation."""
    owed = {name: minor for name, (minor, _) in people.items()}
    credit = {name: weights for name, (_, weights) in people.items()}

    got = Counter()
    for flow in flows(owed, credit):
        got[flow.contributor] += flow.minor

    assert got == Counter({name: minor for name, minor in owed.items() if minor})


@given(
    st.lists(st.builds(Flow, names, names, st.integers(1, 10**12)), max_size=200),
    st.integers(1, 16),
    st.integers(1, 20),
)
def test_grouping_keeps_the_sum_and_bounds_the_names(all_flows, topics, contributors):
    """At most the kept names and one for the rest remain, and the money stays the same."""
    merged = grouped(all_flows, topics, contributors)

    assert sum(flow.minor for flow in merged) == sum(flow.minor for flow in all_flows)
    assert len({flow.topic for flow in merged}) <= topics + 1
    assert len({flow.contributor for flow in merged}) <= contributors + 1


@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [(100000, "EUR", "1,000.00 EUR"), (1234567, "JPY", "1,234,567 JPY"), (5, "KWD", "0.005 KWD")],
)
def test_amounts_are_written_in_the_currency_s_own_decimals(minor, code, text):
    """The exponent is the currency's, not always two."""
    assert money(minor, code) == text
