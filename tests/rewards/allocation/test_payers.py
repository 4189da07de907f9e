"""Theorems of pools that pay queries: no payer's money pays for what another asked, and none of it is lost."""

from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.errors import RewardError
from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.payers import PayerDivision, by_contributor, counted
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.usage.queries import PAID_STEPS, Payment, QueryCredits, baskets, refuse_unknown

QUERIES = ("q1", "q2", "q3")
NAMES = "abcd"
USERS = ("u", "v", "w")
BETA = Fraction("0.05")
CREDITS = st.integers(-1000, 1000).map(lambda steps: Decimal(steps).scaleb(-6))
ROWS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(QUERIES), CREDITS), min_size=1, max_size=10)
ERRORS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2000).map(lambda steps: Decimal(steps).scaleb(-6)))
PAYMENTS = st.lists(
    st.tuples(st.sampled_from(QUERIES), st.sampled_from(USERS), st.integers(0, 10**6)), min_size=1, max_size=8
)
KAPPAS = st.sampled_from([Fraction(0), Fraction(1), Fraction("1.96")])
EVERY = [("z", query, Decimal("0.0001")) for query in QUERIES]
"""A row for every query, so that each of them can be paid for."""
again = settings(max_examples=250, deadline=None)


def credits_of(rows, errors):
    names, queries, values = zip(*rows, strict=True)
    table = pa.table({"contributor_id": names, "query": queries, "credit": pa.array(values, pa.decimal128(38, 12))})
    return QueryCredits.of(table, errors)


def claims_of(credits):
    """Everybody on the evaluation set, whose slices these queries are."""
    totals = {}
    for own in credits.signed.values():
        for name, steps in own.items():
            totals[name] = totals.get(name, 0) + steps
    return [
        ContributorScore(name, score, credits.errors.get(name, Decimal(0)), 1, 1, 0, score, 10, 5)
        for name, score in ((name, Decimal(total).scaleb(-12)) for name, total in sorted(totals.items()))
    ]


def divided(rows, payments, errors=None, kappa=Fraction(0)):
    """Contributor → units of what all payers paid, and the lines of payers.csv."""
    credits = credits_of(rows + EVERY, errors or {})
    division = PayerDivision("answers", kappa, "2026-11", claims_of(credits), "content")
    usage = [Payment(query, user, Fraction(amount)) for query, user, amount in payments]
    lines = division.rows(baskets(usage), credits, BETA)
    parts = {}
    for line in lines:
        parts[line.contributor_id] = parts.get(line.contributor_id, 0) + line.part
    return parts, lines


def test_the_rule_by_hand():
    """One payer, two queries, 3 to 1: Z = Σ m/m_u · S/D, SE spread as the rows' absolute credit."""
    rows = [("a", "q1", Decimal("0.4")), ("a", "q2", Decimal("-0.1")), ("b", "q2", Decimal("0.3"))]
    credits = credits_of(rows, {"a": Decimal("0.1"), "b": Decimal("0.06")})

    scores = credits.of_basket({"q1": 3, "q2": 1}, BETA)

    # D = 0.4 and 0.3; a: 3/4 · 1 − 1/4 · 1/3, error 3/4 · 0.1 · 0.8 / 0.4 + 1/4 · 0.1 · 0.2 / 0.3
    assert scores["a"] == (Decimal("0.666666666666"), Decimal("0.166666666667"))
    assert scores["b"] == (Decimal("0.250000000000"), Decimal("0.050000000000"))


@proved
@given(ROWS, PAYMENTS, ERRORS, KAPPAS)
def test_every_payer_s_money_is_paid_out_whole(rows, payments, errors, kappa):
    """To the last of 10^18 units a payment, whether answers, the evaluation or content divide it."""
    paid = sum(amount for _, _, amount in payments)
    assume(paid)

    parts, lines = divided(rows, payments, errors, kappa)

    assert sum(parts.values()) == paid * PAID_STEPS
    by_payer = {user: sum(line.part for line in lines if line.payer == user) for user in USERS}
    assert by_payer == {user: sum(amount for _, u, amount in payments if u == user) * PAID_STEPS for user in USERS}
    assert all(line.part >= 0 and counted(line.score, line.score_se, kappa) > 0 for line in lines)


@proved
@given(ROWS, PAYMENTS, ERRORS, KAPPAS, st.data())
def test_buying_queries_for_own_rows_returns_at_most_what_contributors_get_of_it(rows, payments, errors, kappa, data):
    """In every market: whatever is bought by whoever, in one's own name or another's, at most δ of it comes back.

    The contributors' part δ of all payments is the pool, so it grows by δ for each 1 that is bought.
    """
    part = data.draw(st.sampled_from([Fraction(1), Fraction("0.7"), Fraction("0.75")]))
    users = st.sampled_from(["attacker", "burner"])
    bought = data.draw(st.lists(st.tuples(st.sampled_from(QUERIES), users, st.integers(1, 10**6)), min_size=1))
    before, _ = divided(rows, payments, errors, kappa)
    after, _ = divided(rows, [*payments, *bought], errors, kappa)
    cost = sum(amount for _, _, amount in bought) * PAID_STEPS

    for name in after:
        gain = part * (after[name] - before.get(name, 0))
        assert 0 <= gain <= part * cost


@again
@given(ROWS, PAYMENTS, ERRORS, KAPPAS, st.integers(1, 10**6))
def test_in_money_the_return_is_at_most_the_part_and_one_unit(rows, payments, errors, kappa, amount):
    """The same of whole cents: a pool of 70 % of all payments, with and without the attacker's."""
    assume(any(paid for _, _, paid in payments))
    pools, paid = [], []
    for market in (payments, [*payments, ("q1", "attacker", amount)]):
        pools.append(70 * sum(price for _, _, price in market))
        units, _ = divided(rows, market, errors, kappa)
        paid.append(largest_remainder(pools[-1], {name: Fraction(part) for name, part in units.items()}, "2026-11"))

    for name in paid[1]:
        assert paid[1][name] - paid[0].get(name, 0) <= 70 * amount + 1


@again
@given(ROWS, st.integers(2, 5), ERRORS, KAPPAS)
def test_many_users_are_worth_no_more_than_one(rows, users, errors, kappa):
    """A cap by user is not missed: the same purchase under more names buys the same, but for the units' rounding."""
    alone, _ = divided(rows, [("q1", "u", users)], errors, kappa)
    many, _ = divided(rows, [("q1", f"u{n}", 1) for n in range(users)], errors, kappa)

    assert alone.keys() == many.keys()
    assert all(abs(alone[name] - many[name]) <= users for name in alone)


@again
@given(ROWS, PAYMENTS, ERRORS, KAPPAS, st.data())
def test_order_of_rows_and_payments_does_not_matter(rows, payments, errors, kappa, data):
    """Permuting inputs gives the same lines."""
    assume(any(amount for _, _, amount in payments))
    turned = data.draw(st.permutations(rows)), data.draw(st.permutations(payments))

    assert divided(turned[0], turned[1], errors, kappa) == divided(rows, payments, errors, kappa)


def test_what_no_answer_can_tell_goes_as_the_evaluation_says():
    """A payer whose queries nobody surely helped is divided by the evaluation's credit, and nobody else is touched."""
    rows = [("a", "q1", Decimal("0.5")), ("b", "q2", Decimal("0.001"))]
    errors = {"b": Decimal("0.01"), "z": Decimal("0.001")}

    parts, lines = divided(rows, [("q1", "u", 1), ("q2", "v", 1)], errors, Fraction(1))

    assert {(line.payer, line.basis) for line in lines} == {("u", "answers"), ("v", "evaluation")}
    assert parts == {"a": 2 * PAID_STEPS}


def test_where_the_evaluation_cannot_tell_either_content_divides():
    """With no credit above its uncertainty anywhere, a payer's money goes by distinct content."""
    errors = dict.fromkeys("az", Decimal(9))

    _, lines = divided([("a", "q1", Decimal("0.5"))], [("q1", "u", 1)], errors, Fraction(1))

    assert {(line.contributor_id, line.basis, line.part) for line in lines} == {
        ("a", "content", PAID_STEPS // 2),
        ("z", "content", PAID_STEPS // 2),
    }


def test_without_usage_each_slice_pays_within_itself():
    """Every slice of the evaluation is worth the same and goes to those who helped there."""
    credits = credits_of([("a", "q1", Decimal("0.9")), ("b", "q2", Decimal("0.001"))], {})
    division = PayerDivision("topics", Fraction(0), "2026-11", claims_of(credits), "content")

    lines = division.rows(credits.slices(), credits, BETA)

    assert by_contributor(lines) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}


@pytest.mark.parametrize(
    ("payments", "said"),
    [
        ([("q9", "u", 1)], r"pool answers: query 'q9' was paid for and has no line in scores\.parquet"),
        ([("q1", "u", 0)], r"pool answers: no payment in usage\.csv, expected one above 0"),
    ],
)
def test_usage_that_cannot_pay_is_refused(payments, said):
    """What was paid for and not attributed is named, and so is a file in which nobody paid."""
    usage = [Payment(query, user, Fraction(amount)) for query, user, amount in payments]

    with pytest.raises(RewardError, match=said):
        refuse_unknown(baskets(usage), credits_of(EVERY, {}), "answers")
