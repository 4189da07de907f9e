"""Theorem: the four causes of a change sum to it, and a cause that did not change explains nothing."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.rewards.allocation.allocate import Terms, allocate
from tribute.rewards.allocation.weights import BLEND, CREDIT, TOKENS, ContributorScore
from tribute.rewards.statements.comparison import CAUSES, Comparison, PeriodInputs

SCORES = st.integers(-3000, 3000).map(lambda whole: Decimal(whole).scaleb(-4))
ERRORS = st.integers(0, 500).map(lambda whole: Decimal(whole).scaleb(-4))
NAMES = st.sampled_from(["ada", "bob", "cy", "di"])


def claim(name, score="0.1", se="0.01", tokens=10):
    """A claim of somebody whose rows were all trained on."""
    score, se = Decimal(score), Decimal(se)
    return ContributorScore(name, score, se, 1, 1, 0, score + 2 * se, tokens, tokens // 2)


def side(claims, pool=100_00, kappa=1, rule=CREDIT, reliability=1):
    """A period with one pool."""
    return PeriodInputs(
        {"evaluation": pool},
        {"evaluation": {one.contributor_id: one for one in claims}},
        Terms(Fraction(kappa), rule, Fraction(reliability)),
    )


@st.composite
def sides(draw):
    """A period of up to four contributors, by any rule."""
    names = draw(st.lists(NAMES, unique=True, min_size=1))
    claims = [claim(name, draw(SCORES), draw(ERRORS), draw(st.integers(1, 50))) for name in names]
    rule = draw(st.sampled_from([BLEND, CREDIT, TOKENS]))
    reliability = Fraction(draw(st.integers(0, 1000)), 1000)
    return side(claims, draw(st.integers(1, 10**9)), draw(st.integers(0, 3)), rule, reliability)


@settings(max_examples=1000, deadline=None)
@given(sides(), sides(), NAMES, st.integers(-3, 3))
def test_the_causes_sum_to_the_change(before, now, name, rounding):
    """Exactly for quotas, and for whole amounts whatever their rounding was."""
    compared = Comparison(before, now)
    old, new = (compared._pay("evaluation", name, one, one, one, one) for one in (0, 1))
    change = int(new - old) + rounding

    assert sum(compared.causes(name).values()) == new - old
    assert sum(compared.whole_causes(name, change).values()) == change
    assert tuple(compared.whole_causes(name, change)) == CAUSES


@settings(max_examples=1000, deadline=None)
@given(sides(), sides(), NAMES)
def test_what_did_not_change_explains_nothing(before, now, name):
    """Exchange one cause alone, and it explains all of the change."""
    only_pool = PeriodInputs(now.pools, before.claims, before.terms)
    only_policy = PeriodInputs(before.pools, before.claims, now.terms)

    pool, policy = Comparison(before, only_pool).causes(name), Comparison(before, only_policy).causes(name)

    assert [cause for cause, value in pool.items() if value and cause != "pool"] == []
    assert [cause for cause, value in policy.items() if value and cause != "policy"] == []


def test_own_rows_and_others_are_told_apart():
    """Who doubles its credit gains by own data; who stands still loses to others."""
    before = side([claim("ada", "0.1", 0), claim("bob", "0.1", 0)])
    now = side([claim("ada", "0.2", 0), claim("bob", "0.1", 0)])
    compared = Comparison(before, now)

    assert compared.whole_causes("ada", 1667) == {"pool": 0, "own_data": 1667, "others": 0, "policy": 0}
    assert compared.whole_causes("bob", -1667) == {"pool": 0, "own_data": 0, "others": -1667, "policy": 0}


def test_the_amounts_are_those_of_the_allocation():
    """What the causes explain is what `allocate` pays, up to its rounding."""
    claims = [claim("ada", "0.3"), claim("bob", "0.2"), claim("cy", "-0.1")]
    now = side(claims, pool=100_01)
    lines = {
        line.contributor_id: line
        for line in allocate(claims, pool=100_01, terms=Terms(Fraction(1), CREDIT), period="2026-11")
    }

    nothing = PeriodInputs({}, {}, Terms(Fraction(1), CREDIT))
    for name, line in lines.items():
        assert sum(Comparison(nothing, now).causes(name).values()) == line.quota


def test_several_pools_are_added_up():
    """A pool that ends counts as one of zero."""
    two = PeriodInputs(
        {"a": 60, "b": 40}, {"a": {"ada": claim("ada")}, "b": {"ada": claim("ada")}}, Terms(Fraction(1), CREDIT)
    )
    one = PeriodInputs({"a": 60}, {"a": {"ada": claim("ada")}}, Terms(Fraction(1), CREDIT))

    causes = Comparison(two, one).causes("ada")

    assert sum(causes.values()) == -40
    # The end of a pool takes the data with it: both explain it, half each.
    assert (causes["pool"], causes["own_data"]) == (-20, -20)
