"""Theorems of the rule, with V = max(0, Z − κ·SE) and largest remainder.

Amounts sum to the pool, and each is its quota rounded down or up. From these two and the fixed order of ties
the others follow; each is tested by itself, because an implementation can lose one without the other.
"""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rewards.helpers.books import POLICY, proved
from tribute.rewards.allocation import allocate as module
from tribute.rewards.allocation.allocate import Terms, allocate, largest_remainder
from tribute.rewards.allocation.funding import divide
from tribute.rewards.allocation.weights import ContributorScore, weigh
from tribute.rewards.policy.policy import Pool

PERIOD = "2026-11"
NAMES = [f"c{number:02d}" for number in range(12)]
STEPS = st.integers(min_value=-(10**12), max_value=10**12)
ERROR_STEPS = st.integers(min_value=0, max_value=10**11)
POOLS = st.integers(min_value=1, max_value=10**9)
KAPPAS = st.sampled_from([Fraction(0), Fraction(1), Fraction("1.96"), Fraction(3)])


def claim(name, score, error=Decimal(0), rows=1, tokens=10):
    return ContributorScore(name, score, error, rows, rows, 0, score + error, tokens)


def allocated(claims, pool, kappa=Fraction(0), rule="credit"):
    return allocate(claims, pool=pool, terms=Terms(kappa, rule), period=PERIOD)


def pay(claims, pool, kappa=Fraction(0), rule="credit"):
    return {line.contributor_id: line.amount for line in allocated(claims, pool, kappa, rule)}


def weighing(claims, kappa=Fraction(0)):
    return any(weigh(c, kappa, "credit") > 0 for c in claims)


def nats(steps):
    return Decimal(steps).scaleb(-12)


SCORES, ERRORS = STEPS.map(nats), ERROR_STEPS.map(nats)


def claim_lists(errors=ERROR_STEPS):
    """Up to five contributors, by name from c00 on; drawn as integers, because that is quick."""
    pairs = st.lists(st.tuples(STEPS, errors), min_size=1, max_size=5)
    return pairs.map(lambda found: [claim(NAMES[n], nats(z), nats(se)) for n, (z, se) in enumerate(found)])


@proved
@given(claim_lists(), POOLS, KAPPAS)
def test_the_lines_sum_to_the_pool_and_keep_the_quota(claims, pool, kappa):
    """floor(quota) ≤ amount ≤ ceil(quota), and the sum of lines = pool."""
    assume(weighing(claims, kappa))

    lines = allocated(claims, pool, kappa)

    assert sum(line.amount for line in lines) == pool
    assert all(math.floor(line.quota) <= line.amount <= math.ceil(line.quota) for line in lines)


@proved
@given(claim_lists(), POOLS, KAPPAS, st.booleans())
def test_a_null_contributor_gets_nothing_and_removing_it_changes_nobody(claims, pool, kappa, negative):
    """Null contributor → 0, and removing it changes nobody; so with one whose rows only harm."""
    assume(weighing(claims, kappa))
    null = claim("null", Decimal("-0.5") if negative else Decimal(0))

    amounts = pay([*claims, null], pool, kappa)

    assert amounts.pop("null") == 0
    assert amounts == pay(claims, pool, kappa)


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES)
def test_more_own_credit_never_pays_less(claims, pool, kappa, more):
    """Own weight up → own pay not down, the others' being as they were."""
    assume(weighing(claims, kappa))
    own, *others = claims
    raised = claim(own.contributor_id, own.score + abs(more), own.score_se)

    assert pay([raised, *others], pool, kappa)[own.contributor_id] >= pay(claims, pool, kappa)[own.contributor_id]


@proved
@given(claim_lists(), POOLS, KAPPAS, st.integers(min_value=1, max_value=10**6))
def test_the_scale_of_the_scores_does_not_matter(claims, pool, kappa, factor):
    """Scores × c changes nothing."""
    assume(weighing(claims, kappa))
    scaled = [claim(c.contributor_id, c.score * factor, c.score_se * factor) for c in claims]

    assert pay(scaled, pool, kappa) == pay(claims, pool, kappa)


@proved
@given(
    claim_lists(errors=st.just(0)),
    st.lists(st.integers(1, 10**12).map(nats), min_size=2, max_size=6),
    POOLS,
)
def test_splitting_into_names_gains_a_unit_a_name_at_most(others, parts, pool):
    """A split into m names whose parts are all positive gains ≤ m units (κ=0), loses with κ>0: here the first."""
    names = [claim(f"part-{number}", part) for number, part in enumerate(parts)]
    before = pay([claim("whole", sum(parts, Decimal(0))), *others], pool)["whole"]

    after = pay([*names, *others], pool)

    assert sum(after[name.contributor_id] for name in names) <= before + len(parts)


@proved
@given(
    claim_lists(),
    st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**11)), min_size=2, max_size=6),
    POOLS,
    KAPPAS.filter(bool),
)
def test_splitting_loses_where_uncertainty_counts(others, parts, pool, kappa):
    """A split into m names whose parts are all positive gains ≤ m units (κ=0), loses with κ>0: here the second.

    Parts are uncertain independently, so their standard errors add up to more than the whole's, and κ takes each off.
    """
    split = [
        claim(f"part-{n}", nats(z) + Decimal(kappa.numerator) * nats(se), nats(se)) for n, (z, se) in enumerate(parts)
    ]
    error = nats(math.isqrt(sum(se**2 for _, se in parts)))
    whole = claim("whole", sum((one.score for one in split), Decimal(0)), error)
    rest = sum(weigh(other, kappa, "credit") for other in others)

    before = next(line for line in allocated([whole, *others], pool, kappa) if line.contributor_id == "whole")
    after = [line for line in allocated([*split, *others], pool, kappa) if line.contributor_id.startswith("part-")]

    quota = sum(line.quota for line in after)
    assert quota < before.quota if rest else quota == before.quota == pool
    assert sum(line.amount for line in after) <= before.amount + len(parts)


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES.filter(lambda score: score < 0))
def test_hiding_harmful_rows_never_beats_leaving_them_out(claims, pool, kappa, harmful):
    """Hiding harmful rows under another name never beats leaving them out: both earn the same."""
    assume(weighing(claims, kappa))
    hidden = pay([*claims, claim("throw-away", harmful)], pool, kappa)

    assert hidden == pay(claims, pool, kappa) | {"throw-away": 0}


@proved
@given(claim_lists(), POOLS, KAPPAS, st.integers(1, 1000))
def test_a_larger_pool_lowers_nobody_by_more_than_a_unit(claims, pool, kappa, more):
    """Pool up → −1 unit at most, the price of keeping the quota."""
    assume(weighing(claims, kappa))
    before, after = pay(claims, pool, kappa), pay(claims, pool + more, kappa)

    assert all(after[name] >= before[name] - 1 for name in before)


@proved
@given(claim_lists(), POOLS, SCORES, ERRORS, KAPPAS)
def test_equal_scores_differ_by_a_unit_at_most(others, pool, score, error, kappa):
    """Equal scores ±1 unit: the odd unit goes to one of them."""
    claims = [*others, claim("twin-a", score, error), claim("twin-b", score, error)]
    assume(weighing(claims, kappa))

    amounts = pay(claims, pool, kappa)

    assert abs(amounts["twin-a"] - amounts["twin-b"]) <= 1


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES)
def test_withdrawing_never_raises_own_pay(claims, pool, kappa, less):
    """Withdrawing never raises own pay: less credit, as uncertain as before, is paid no more."""
    assume(weighing(claims, kappa))
    own, *others = claims
    lowered = claim(own.contributor_id, own.score - abs(less), own.score_se)
    assume(weighing([lowered, *others], kappa))

    assert pay([lowered, *others], pool, kappa)[own.contributor_id] <= pay(claims, pool, kappa)[own.contributor_id]


def test_ties_change_with_the_period():
    """Who gets the odd unit among equals is drawn anew each period, not given to the same name for ever."""
    weights = dict.fromkeys(NAMES, Fraction(1))
    winners = set()

    for month in range(1, 13):
        amounts = largest_remainder(1, weights, f"2026-{month:02d}")
        winners |= {name for name, amount in amounts.items() if amount}

    assert len(winners) > 3


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (ContributorScore("x", Decimal(1), Decimal(0), 3, 3, 0, Decimal(1), 10), module.ACCRUED),
        (
            ContributorScore("x", Decimal("-1e-12"), Decimal(0), 3, 3, 0, Decimal("-1e-12"), 10),
            module.ZERO_CREDIT_BELOW_ZERO,
        ),
        (
            ContributorScore("x", Decimal("0.1"), Decimal("0.2"), 3, 3, 0, Decimal("0.1"), 10),
            module.ZERO_NOT_DISTINGUISHABLE,
        ),
        (ContributorScore("x", Decimal(0), Decimal(0), 3, 3, 0, Decimal(0), 10), module.ZERO_NOT_DISTINGUISHABLE),
        (
            ContributorScore("x", Decimal("1e-12"), Decimal(0), 3, 3, 0, Decimal("1e-12"), 10),
            module.ZERO_BELOW_ONE_UNIT,
        ),
        (ContributorScore("x", Decimal(0), Decimal(0), 3, 0, 3, Decimal(0), 10), module.ZERO_ALL_EXCLUDED),
        (ContributorScore("x", Decimal(0), Decimal(0), 3, 0, 2, Decimal(0), 10), module.ZERO_NO_TRAINING_ROW),
        (ContributorScore("x", Decimal(0), Decimal(0), 0, 0, 0, Decimal(0), 10), module.ZERO_NO_TRAINING_ROW),
    ],
)
def test_the_status_says_why(one, status):
    """Every way of getting money or none has its own status."""
    lines = allocated([one, claim("y", Decimal(1))], 100, Fraction(1))

    assert lines[0].status == status


@proved
@given(
    claim_lists(),
    st.lists(
        st.tuples(st.sampled_from(["EUR", "JPY", "KWD", "ETH"]), st.integers(100, 10**24)), min_size=1, max_size=3
    ),
    st.integers(1, 99),
)
def test_every_pool_sums_in_every_currency(claims, fees, percent):
    """Sum of lines = pool, per currency, and the pools and other parts of a fee sum to the fee."""
    assume(weighing(claims))
    pools = {
        "a": {"part": f"0.{percent:02d}", "pays": "shares"},
        "b": {"part": f"0.{100 - percent:02d}", "pays": "shares"},
    }
    policy = POLICY.model_copy(update={"pools": {name: Pool(**pool) for name, pool in pools.items()}})

    for currency, net in fees:
        funding = divide(net, currency, policy, PERIOD)
        paid = [sum(pay(claims, amount).values()) for amount in funding.pools.values()]
        assert paid == list(funding.pools.values())
        assert sum(paid) + funding.platform + funding.model_owner + funding.reserve == net
