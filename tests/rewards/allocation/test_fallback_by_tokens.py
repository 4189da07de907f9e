"""Theorems of the fall-back: tokens are the weight, and who surely does harm weighs nothing by either rule."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.allocation.test_allocate import KAPPAS, NAMES, POOLS, allocated, claim, pay
from tests.rewards.helpers.books import proved
from tribute.rewards.allocation import allocate as module
from tribute.rewards.allocation.weights import ContributorScore


@proved
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), POOLS, KAPPAS)
def test_by_tokens_weight_is_the_count_of_tokens(counts, pool, kappa):
    """Whatever the credits, the lines sum to the pool, and each weight is the number of tokens."""
    claims = [claim(NAMES[n], Decimal("-0.1"), Decimal(1), tokens=count) for n, count in enumerate(counts)]

    lines = allocated(claims, pool, kappa, "tokens")

    assert [line.weight for line in lines] == counts
    assert sum(line.amount for line in lines) == pool
    assert all(math.floor(line.quota) <= line.amount <= math.ceil(line.quota) for line in lines)
    assert {line.rule for line in lines} == {"tokens"}


@pytest.mark.parametrize(("high", "weight"), [("-1e-12", 0), ("0", 7), ("0.1", 7)])
def test_by_tokens_credit_surely_below_zero_gets_nothing(high, weight):
    """Where the whole interval lies below 0 the weight is 0; touching 0 is not below it."""
    one = ContributorScore("x", Decimal("-0.1"), Decimal("0.1"), 3, 3, 0, Decimal(high), 7)

    line = allocated([one, claim("y", Decimal(1))], 100, Fraction(1), "tokens")[0]

    assert line.weight == weight
    assert line.status == (module.ACCRUED if weight else module.ZERO_CREDIT_BELOW_ZERO)


def test_by_tokens_the_reason_is_what_was_tested():
    """Where queries pay, credit on the answers may be above 0 and the interval on the evaluation set below it."""
    one = ContributorScore("x", Decimal("0.2"), Decimal("0.1"), 3, 3, 0, Decimal("-0.01"), 7)

    line = allocated([one, claim("y", Decimal(1))], 100, Fraction(1), "tokens")[0]

    assert (line.amount, line.status) == (0, module.ZERO_CREDIT_BELOW_ZERO)


@pytest.mark.parametrize("rule", ["credit", "tokens"])
def test_credit_surely_below_zero_gets_nothing_by_either_rule(rule):
    """Falling back to tokens does not pay those who do harm."""
    harmful = claim("harmful", Decimal(-1), Decimal("0.1"), tokens=10**6)

    assert pay([harmful, claim("y", Decimal(1))], 100, Fraction(1), rule) == {"harmful": 0, "y": 100}


@proved
@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=6), st.integers(1, 10**6), POOLS)
def test_by_tokens_splitting_into_names_gains_a_unit_a_name_at_most(parts, other, pool):
    """Tokens are summed over rows, so names cannot change what rows earn, but for rounding."""
    others = claim("other", Decimal(1), tokens=other)
    names = [claim(f"part-{number}", Decimal(1), tokens=count) for number, count in enumerate(parts)]
    before = pay([claim("whole", Decimal(1), tokens=sum(parts)), others], pool, rule="tokens")["whole"]

    after = pay([*names, others], pool, rule="tokens")

    assert sum(after[name.contributor_id] for name in names) <= before + len(parts)
