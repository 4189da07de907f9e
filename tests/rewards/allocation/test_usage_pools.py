"""Theorem: what users paid weighs their queries, exactly, and nobody counts more than the cap."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.errors import RewardError
from tribute.rewards.allocation.recorded_queries import WEIGHT_STEPS, query_weights
from tribute.rewards.usage.queries import Payment, read_usage

QUERIES = ("q1", "q2", "q3")


@proved
@given(
    st.lists(st.tuples(st.sampled_from(QUERIES), st.sampled_from("uvw"), st.integers(0, 10**6)), min_size=1),
    st.sampled_from(["0.1", "0.5", "1"]),
)
def test_no_user_counts_more_than_the_cap(usage, cap):
    """Queries weigh what was paid for them, a user's payments at most the cap's part of all payments."""
    payments = [Payment(query, user, Fraction(amount)) for query, user, amount in usage]
    total = sum(one.amount for one in payments)
    assume(total > 0)

    weights = query_weights(payments, Fraction(cap))

    assert 0 < sum(weights.values()) <= WEIGHT_STEPS
    by_user = {user: sum(one.amount for one in payments if one.user == user) for user in "uvw"}
    counted = {user: min(amount, Fraction(cap) * total) for user, amount in by_user.items()}
    for query in QUERIES:
        expected = sum(
            counted[one.user] * one.amount / by_user[one.user] for one in payments if one.query == query and one.amount
        ) / sum(counted.values())
        assert abs(Fraction(weights.get(query, 0), WEIGHT_STEPS) - expected) < Fraction(1, 10**17)


def test_usage_is_read_exactly(tmp_path):
    """Amounts are decimals, never floats."""
    path = tmp_path / "usage.csv"
    path.write_text("query,user,amount\nq1,u,0.1\nq2,v,3\n")

    assert read_usage(path) == [Payment("q1", "u", Fraction(1, 10)), Payment("q2", "v", Fraction(3))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("query,user\nq1,u\n", r"usage\.csv:1: columns \['query', 'user'\], expected"),
        ("query,user,amount\nq1,u,NaN\n", r"usage\.csv:2: amount 'NaN', expected a plain decimal"),
        ("query,user,amount\nq1,u,1\nq1,u,-1\n", r"usage\.csv:3: amount '-1'"),
        ("query,user,amount\nq1,u,1e3\n", r"usage\.csv:2: amount '1e3'"),
        ("query,user,amount\nq1,u\n", r"usage\.csv:2: 2 values, expected 3"),
        ("query,user,amount\n=1+1,u,1\n", r"usage\.csv:2: a spreadsheet could run '=1\+1' as a formula; rename it"),
        ("query,user,amount\nq1,u,1\nq1,a@b.org,1\n", r"usage\.csv:3: user 'a@b\.org', expected a pseudonym of"),
        ("query,user,amount\nq1,Ada Lovelace,1\n", r"usage\.csv:2: user 'Ada Lovelace', expected a pseudonym"),
        ("query,user,amount\nq1,u,1,50\n", r"usage\.csv:2: 4 values, expected 3; write decimals with a point"),
        ("query,user,amount\nq1,u,1\n\nq2,u,1\n", r"usage\.csv:3: 0 values, expected 3"),
    ],
)
def test_usage_that_says_nothing_is_refused(tmp_path, content, said):
    """A line that is no payment is named by its number."""
    path = tmp_path / "usage.csv"
    path.write_text(content)

    with pytest.raises(RewardError, match=said):
        read_usage(path)


def test_a_missing_usage_is_named(tmp_path):
    """A file that is not there is refused by its path."""
    with pytest.raises(RewardError, match=r"nowhere\.csv: cannot be read"):
        read_usage(tmp_path / "nowhere.csv")
