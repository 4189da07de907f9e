"""Theorems of the blend: three numbers join to each weight, and noise pays nobody more than distinct content."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.rewards.allocation import allocate as module
from tribute.rewards.allocation.allocate import Terms, allocate
from tribute.rewards.allocation.weights import BLEND, CREDIT, ContributorScore, blend_parts

NATS = st.integers(-(10**6), 10**6).map(lambda steps: Decimal(steps).scaleb(-6))
ERRORS = st.integers(0, 10**5).map(lambda steps: Decimal(steps).scaleb(-6))
RELIABILITIES = st.integers(0, 1000).map(lambda steps: Fraction(steps, 1000))
POOLS = st.integers(1, 10**9)
KAPPAS = st.sampled_from([Fraction(0), Fraction(1), Fraction("1.96")])
again = settings(max_examples=300, deadline=None)


def claim(name, score, error, content, high=None):
    high = score + 2 * error if high is None else high
    return ContributorScore(name, score, error, 1, 1, 0, high, 1, content)


CLAIMS = st.lists(st.tuples(NATS, ERRORS, st.integers(0, 500)), min_size=1, max_size=5).map(
    lambda drawn: [claim(f"c{number}", *one) for number, one in enumerate(drawn)]
)


def pay(claims, w, pool=10**6, kappa=Fraction(1)):
    lines = allocate(claims, pool=pool, terms=Terms(kappa, BLEND, w), period="2026-11")
    return {line.contributor_id: line for line in lines}


def payable(claims, kappa=Fraction(1)):
    return any(part.weight for part in blend_parts(claims, kappa, Fraction(1, 2)).values())


def test_the_rule_by_hand():
    """ada: 3/4 of the credit, 1/4 of the content; bob the rest: at w = 0.6 ada gets 0.6 · 3/4 + 0.4 · 1/4."""
    claims = [claim("ada", Decimal("0.4"), Decimal("0.1"), 50), claim("bob", Decimal("0.2"), Decimal("0.1"), 150)]

    lines = pay(claims, Fraction("0.6"), pool=1000)

    ada = lines["ada"]
    assert (ada.parts.reliability, ada.parts.credit, ada.parts.content) == (
        Fraction(3, 5),
        Fraction(3, 4),
        Fraction(1, 4),
    )
    assert (ada.weight, ada.amount, lines["bob"].amount) == (Fraction("0.55"), 550, 450)


@proved
@given(CLAIMS, RELIABILITIES, POOLS, KAPPAS)
def test_the_lines_sum_to_the_pool_and_lie_between_both_parts(claims, w, pool, kappa):
    """Every weight is between the credit share and the content share, and all weights sum to 1."""
    assume(payable(claims, kappa))

    lines = pay(claims, w, pool, kappa).values()

    assert sum(line.amount for line in lines) == pool
    assert sum(line.weight for line in lines) == 1
    for line in lines:
        low, high = sorted((line.parts.credit, line.parts.content))
        assert (
            (low <= line.weight <= high)
            or not any(other.parts.credit for other in lines)
            or line.parts.reliability == 1
        )
        assert abs(line.amount - line.quota) < 1


@proved
@given(CLAIMS, NATS, ERRORS, st.integers(0, 500), RELIABILITIES, st.data())
def test_noise_pays_a_junk_contributor_no_more_than_its_content(claims, score, error, content, w, data):
    """Whoever has no credit above its uncertainty gets (1 − w) of the content share: at most all of it, at w = 0.

    Adding noise can lower w and widen everybody's errors; neither lifts junk above its distinct content.
    """
    junk = claim("junk", min(score, error), error, content)
    noise = data.draw(st.lists(ERRORS, min_size=len(claims), max_size=len(claims)))
    noisy = [replace(one, score_se=one.score_se + more) for one, more in zip(claims, noise, strict=True)]
    lower = w * data.draw(RELIABILITIES)
    assume(payable([*noisy, junk]))

    line = pay([*noisy, junk], lower)["junk"]

    everybody = sum(max(0, one.content) for one in [*claims, junk] if one.score_high >= 0)
    own = Fraction(content if junk.score_high >= 0 else 0, everybody or 1)
    assert line.parts.credit == 0
    assert line.weight <= own
    assert line.amount <= 10**6 * own + 1


@again
@given(CLAIMS, RELIABILITIES, RELIABILITIES, st.integers(0, 500))
def test_less_reliability_pays_junk_more_only_up_to_its_content(claims, first, second, content):
    """Junk's pay moves evenly with 1 − w, without a jump: |Δpay| ≤ |Δw| · its share of the content."""
    claims = [claim("good", Decimal(1), Decimal(0), 10), *claims, claim("junk", Decimal(0), Decimal(1), content)]
    pays = [pay(claims, w)["junk"] for w in (first, second)]

    assert abs(pays[0].weight - pays[1].weight) == abs(first - second) * pays[0].parts.content


@again
@given(CLAIMS, RELIABILITIES, st.integers(1, 500))
def test_who_is_surely_below_zero_gets_nothing(claims, w, content):
    """The whole interval below 0: neither credit nor content, and the status says so."""
    harm = claim("harm", Decimal("-0.2"), Decimal("0.1"), content, high=Decimal("-0.01"))
    good = claim("good", Decimal(1), Decimal(0), 10)

    line = pay([good, *claims, harm], w)["harm"]

    assert (line.weight, line.amount, line.status) == (0, 0, module.ZERO_CREDIT_BELOW_ZERO)


@again
@given(CLAIMS, POOLS, KAPPAS)
def test_in_full_the_blend_is_the_rule_credit(claims, pool, kappa):
    """At w = 1 the amounts are those of credit alone."""
    assume(any(part.credit for part in blend_parts(claims, kappa, Fraction(1)).values()))
    by_credit = allocate(claims, pool=pool, terms=Terms(kappa, CREDIT), period="2026-11")

    assert {name: line.amount for name, line in pay(claims, Fraction(1), pool, kappa).items()} == {
        line.contributor_id: line.amount for line in by_credit
    }


def test_where_one_part_is_empty_the_other_pays_all():
    """Without credit above its uncertainty content pays, and without content credit does."""
    unsure = [claim("ada", Decimal("0.1"), Decimal(1), 30), claim("bob", Decimal("0.1"), Decimal(1), 10)]
    bare = [claim("ada", Decimal("0.1"), Decimal(0), 0), claim("bob", Decimal("0.3"), Decimal(0), 0)]

    assert [line.amount for line in pay(unsure, Fraction(1, 2), 100).values()] == [75, 25]
    assert [line.amount for line in pay(bare, Fraction(1, 2), 100).values()] == [25, 75]
