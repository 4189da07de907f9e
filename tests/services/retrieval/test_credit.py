"""Theorem: credits are Shapley values: they add up, copies share, and what changes nothing has none."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.services.retrieval import (
    Hit,
    chunk_credits,
    few_players,
    neighbour_credits,
    neighbour_shapley,
    players,
    shapley,
    vote,
)


def by_permutations(value, count):
    """The definition: what each player adds when it comes, averaged over all orders."""
    credits = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        before = value([])
        for place, player in enumerate(order, start=1):
            after = value(sorted(order[:place]))
            credits[player] += (after - before) / len(orders)
            before = after
    return credits


def hits(count, contributors="ab"):
    """Rows of contributors in turn, nearest first, labelled by turns of three."""
    return [Hit(f"r:{n}", contributors[n % len(contributors)], "MIT", f"t{n}", "xyz"[n % 3], 0.0) for n in range(count)]


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(-50, 0), min_size=32, max_size=32), count=st.integers(1, 5))
def test_shapley_is_the_mean_over_all_orders(values, count):
    """For any game of five players or fewer, and it adds up to 1e-9."""

    def value(chosen):
        return values[sum(1 << player for player in chosen)]

    credits = shapley(value, count)

    assert credits == pytest.approx(by_permutations(value, count), abs=1e-9)
    assert credits.sum() == pytest.approx(value(range(count)) - value([]), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(payoffs=st.lists(st.floats(-1, 1), min_size=1, max_size=6), votes=st.integers(1, 8))
def test_neighbours_in_closed_form_are_their_shapley_values(payoffs, votes):
    """Also where there are fewer neighbours than votes."""

    def value(chosen):
        return sum(payoffs[place] for place in sorted(chosen)[:votes]) / votes

    closed = neighbour_shapley(payoffs, votes)

    assert closed == pytest.approx(by_permutations(value, len(payoffs)), abs=1e-9)


def test_copies_share_one_credit_and_what_changes_nothing_has_none():
    """A decisive row and its copy, and a third that nobody needs."""
    credits = chunk_credits(hits(3, "abc"), lambda chosen: -1.0 if {0, 1} & set(chosen) else -9.0)

    assert [credit.credit for credit in credits] == pytest.approx([4, 4, 0], abs=1e-12)
    assert [credit.contributor for credit in credits] == ["a", "b", "c"]


def test_more_than_six_rows_are_credited_by_contributor():
    """Eight rows of two: two players, whose rows come and go together, four subsets asked."""
    asked = []

    def value(chosen):
        asked.append(tuple(chosen))
        return float(len(chosen))

    credits = chunk_credits(hits(8), value)

    assert players(hits(8)) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert [(credit.contributor, credit.credit) for credit in credits] == [("a", 4.0), ("b", 4.0)]
    assert sorted(asked) == [(), tuple(range(8)), (0, 2, 4, 6), (1, 3, 5, 7)]


def test_a_seventh_contributor_is_not_retrieved():
    """So that there are never more than 64 subsets; up to six rows nobody is left out."""
    many = few_players(hits(20, "abcdefghij"))

    assert {hit.contributor for hit in many} == set("abcdef")
    assert len(many) == 12
    assert len(few_players(hits(6, "abcdef"))) == 6


@pytest.mark.parametrize("count", [0, 1, 3, 5, 9])
def test_votes_and_their_credits_add_up(count):
    """Probabilities sum to 1, and a label's credits to what the vote changed of its probability."""
    probabilities = [0.5, 0.3, 0.2]
    mixed = vote(hits(count), "xyz", probabilities)

    assert sum(mixed) == pytest.approx(1, abs=1e-12)
    for label, before, after in zip("xyz", probabilities, mixed, strict=True):
        credits = neighbour_credits(hits(count), label, before)
        assert sum(credit.credit for credit in credits) == pytest.approx(after - before, abs=1e-9)
        gained = math.log(after / before)
        assert sum(credit.nats for credit in credits) == pytest.approx(gained, abs=1e-9)
