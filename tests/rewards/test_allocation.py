"""Theorems of the rule, with V = max(0, Z − κ·SE) and largest remainder.

Amounts sum to the pool, and each is its quota rounded down or up. From these two and the fixed order of ties
the others follow; each is tested by itself, because an implementation can lose one without the other.
"""

import dataclasses
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rewards.books import proved
from tribute.errors import RewardError
from tribute.rewards import Claim, allocate, largest_remainder
from tribute.rewards import allocation as module

PERIOD = "2026-11"
NAMES = [f"c{number:02d}" for number in range(12)]
SCORES = st.integers(min_value=-(10**12), max_value=10**12).map(lambda steps: Decimal(steps).scaleb(-12))
ERRORS = st.integers(min_value=0, max_value=10**11).map(lambda steps: Decimal(steps).scaleb(-12))
POOLS = st.integers(min_value=1, max_value=10**9)
KAPPAS = st.sampled_from([Fraction(0), Fraction(1), Fraction("1.96"), Fraction(3)])


def claim(name, score, error=Decimal(0), rows=1, tokens=10):
    return Claim(name, score, error, rows, rows, 0, score + error, tokens)


def allocated(claims, pool, kappa=Fraction(0), rule="credit"):
    return allocate(claims, pool=pool, kappa=kappa, period=PERIOD, rule=rule)


def pay(claims, pool, kappa=Fraction(0), rule="credit"):
    return {line.contributor_id: line.amount for line in allocated(claims, pool, kappa, rule)}


def weighing(claims, kappa=Fraction(0)):
    return any(module.weigh(c, kappa, "credit") > 0 for c in claims)


@st.composite
def claim_lists(draw, scores=SCORES, errors=ERRORS):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES), unique=True))
    return [claim(name, draw(scores), draw(errors)) for name in names]


@proved
@given(claim_lists(), POOLS, KAPPAS)
def test_the_lines_sum_to_the_pool_and_keep_the_quota(claims, pool, kappa):
    """Sum of lines = pool; floor(quota) ≤ amount ≤ ceil(quota)."""
    assume(weighing(claims, kappa))

    lines = allocated(claims, pool, kappa)

    assert sum(line.amount for line in lines) == pool
    assert all(math.floor(line.quota) <= line.amount <= math.ceil(line.quota) for line in lines)


@proved
@given(st.data(), claim_lists(), POOLS, KAPPAS)
def test_permuting_the_claims_changes_nothing(data, claims, pool, kappa):
    """The order in which claims come in does not matter."""
    assume(weighing(claims, kappa))
    permuted = data.draw(st.permutations(claims))

    assert allocated(permuted, pool, kappa) == allocated(claims, pool, kappa)


@proved
@given(claim_lists(), POOLS, KAPPAS, st.booleans())
def test_a_null_contributor_gets_nothing_and_removing_it_changes_nobody(claims, pool, kappa, negative):
    """Null contributor → 0; all rows negative → 0; neither lowers or raises anybody else's amount."""
    assume(weighing(claims, kappa))
    null = claim("null", Decimal("-0.5") if negative else Decimal(0))

    amounts = pay([*claims, null], pool, kappa)

    assert amounts.pop("null") == 0
    assert amounts == pay(claims, pool, kappa)


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES)
def test_more_own_credit_never_pays_less(claims, pool, kappa, more):
    """Own weight up → own pay not down, the others' weights being equal."""
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
    claim_lists(errors=st.just(Decimal(0))),
    st.lists(SCORES.filter(lambda score: score > 0), min_size=2, max_size=6),
    POOLS,
)
def test_splitting_into_names_gains_a_unit_a_name_at_most(others, parts, pool):
    """A split into m names whose parts are all positive gains ≤ m units at κ = 0."""
    names = [claim(f"part-{number}", part) for number, part in enumerate(parts)]
    before = pay([claim("whole", sum(parts, Decimal(0))), *others], pool)["whole"]

    after = pay([*names, *others], pool)

    assert sum(after[name.contributor_id] for name in names) <= before + len(parts)


@proved
@given(
    claim_lists(),
    st.lists(
        st.tuples(st.integers(1, 10**12).map(lambda steps: Decimal(steps).scaleb(-12)), ERRORS).map(
            lambda part: (part[0] + part[1], part[1])
        ),
        min_size=2,
        max_size=6,
    ),
    POOLS,
)
def test_splitting_never_gains_more_than_rounding_where_uncertainty_counts(others, parts, pool):
    """Standard errors of parts add up to at least the whole's, so with κ > 0 the parts' quotas are lower."""
    names = [claim(f"part-{number}", score, error) for number, (score, error) in enumerate(parts)]
    error = Decimal(math.isqrt(sum(int(error.scaleb(12)) ** 2 for _, error in parts))).scaleb(-12)
    whole = claim("whole", sum((score for score, _ in parts), Decimal(0)), error)
    before = pay([whole, *others], pool, Fraction(1))["whole"]

    after = pay([*names, *others], pool, Fraction(1))

    assert sum(after[name.contributor_id] for name in names) <= before + len(parts)


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES.filter(lambda score: score < 0))
def test_hiding_harmful_rows_never_beats_leaving_them_out(claims, pool, kappa, harmful):
    """Harmful rows under a name of their own earn what not handing them in earns."""
    assume(weighing(claims, kappa))
    hidden = pay([*claims, claim("throw-away", harmful)], pool, kappa)

    assert hidden == pay(claims, pool, kappa) | {"throw-away": 0}


@proved
@given(claim_lists(), POOLS, KAPPAS)
def test_a_larger_pool_lowers_nobody_by_more_than_a_unit(claims, pool, kappa):
    """Pool up by one unit → −1 unit at most, the price of keeping the quota."""
    assume(weighing(claims, kappa))
    before, after = pay(claims, pool, kappa), pay(claims, pool + 1, kappa)

    assert all(after[name] >= before[name] - 1 for name in before)


@proved
@given(claim_lists(), POOLS, SCORES, ERRORS, KAPPAS)
def test_equal_scores_differ_by_a_unit_at_most(others, pool, score, error, kappa):
    """Equal scores get equal amounts, ±1 unit."""
    claims = [*others, claim("twin-a", score, error), claim("twin-b", score, error)]
    assume(weighing(claims, kappa))

    amounts = pay(claims, pool, kappa)

    assert abs(amounts["twin-a"] - amounts["twin-b"]) <= 1


@proved
@given(claim_lists(), POOLS, KAPPAS, st.integers(1, 1000))
def test_replication_inside_a_cluster_changes_nothing(claims, pool, kappa, copies):
    """Copies are excluded before training, so handing them in moves no amount of anybody."""
    assume(weighing(claims, kappa))
    own, *others = claims
    copied = dataclasses.replace(own, rows_submitted=own.rows_submitted + copies, rows_excluded=copies)
    copycat = Claim("copycat", Decimal(0), Decimal(0), copies, 0, copies, Decimal(0), 0)

    assert pay([copied, *others, copycat], pool, kappa) == pay(claims, pool, kappa) | {"copycat": 0}


@proved
@given(claim_lists(), POOLS, KAPPAS, SCORES)
def test_withdrawing_never_raises_own_pay(claims, pool, kappa, less):
    """Whoever takes helpful rows back, and so has less credit, is paid no more; without any, nothing."""
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


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e6])
def test_a_score_that_is_no_number_of_nats_names_its_contributor(value):
    """NaN, infinity and nonsense are refused by the contributor's name."""
    with pytest.raises(RewardError, match=r"^alice: credit is .*, expected a finite number of nats below 1000000"):
        module.exact_score(value, "credit", "alice")


def test_a_pool_that_nobody_can_take_is_refused():
    """All weights zero is an error that says what to do, never an even split."""
    with pytest.raises(RewardError, match=r"none of 2 contributors has a credit above its uncertainty.*lower kappa"):
        pay([claim("a", Decimal(-1)), claim("b", Decimal("0.1"), Decimal(1))], 100, Fraction(1))


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (Claim("x", Decimal(1), Decimal(0), 3, 3, 0, Decimal(1), 10), module.ACCRUED),
        (Claim("x", Decimal("-1e-12"), Decimal(0), 3, 3, 0, Decimal("-1e-12"), 10), module.ZERO_CREDIT_BELOW_ZERO),
        (Claim("x", Decimal("0.1"), Decimal("0.2"), 3, 3, 0, Decimal("0.1"), 10), module.ZERO_NOT_DISTINGUISHABLE),
        (Claim("x", Decimal(0), Decimal(0), 3, 3, 0, Decimal(0), 10), module.ZERO_NOT_DISTINGUISHABLE),
        (Claim("x", Decimal("1e-12"), Decimal(0), 3, 3, 0, Decimal("1e-12"), 10), module.ZERO_BELOW_ONE_UNIT),
        (Claim("x", Decimal(0), Decimal(0), 3, 0, 3, Decimal(0), 10), module.ZERO_ALL_EXCLUDED),
        (Claim("x", Decimal(0), Decimal(0), 3, 0, 2, Decimal(0), 10), module.ZERO_NO_TRAINING_ROW),
        (Claim("x", Decimal(0), Decimal(0), 0, 0, 0, Decimal(0), 10), module.ZERO_NO_TRAINING_ROW),
    ],
)
def test_the_status_says_why(one, status):
    """Every way of getting money or none has its own status."""
    lines = allocated([one, claim("y", Decimal(1))], 100, Fraction(1))

    assert lines[0].status == status


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
    one = Claim("x", Decimal("-0.1"), Decimal("0.1"), 3, 3, 0, Decimal(high), 7)

    line = allocated([one, claim("y", Decimal(1))], 100, Fraction(1), "tokens")[0]

    assert line.weight == weight
    assert line.status == (module.ACCRUED if weight else module.ZERO_CREDIT_BELOW_ZERO)


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
