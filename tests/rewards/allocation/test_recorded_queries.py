"""Theorems of pools that pay queries as recorded before 0.2.0: netted over rows, normalised by query, clipped last."""

from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.errors import RewardError
from tribute.rewards.allocation.allocate import Terms, allocate
from tribute.rewards.allocation.recorded_queries import credit_of_queries, query_weights
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.policy.policy import Pool
from tribute.rewards.usage.queries import Payment

POOL = Pool(part="1", pays="queries")
QUERIES = ("q1", "q2", "q3")
CREDITS = st.integers(-1000, 1000).map(lambda steps: Decimal(steps).scaleb(-6))
ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(QUERIES), CREDITS), min_size=1, max_size=8)
EVERY = [("z", query, Decimal("0.0001")) for query in QUERIES]
"""A row for every query, so that all of them count in every example."""
again = settings(max_examples=250)
"""For what `test_allocation` proves of the weights on a thousand: here it holds from the scores on."""
UNIT = Decimal("1e-11")
"""What rounding to 12 decimals may add up to over three queries."""


def credits(rows, usage=None, pool=POOL):
    names, queries, values = zip(*rows, strict=True)
    table = pa.table({"contributor_id": names, "query": queries, "credit": pa.array(values, pa.decimal128(38, 12))})
    return credit_of_queries(table, pool, usage, "answers")


def pay(found, kappa=0, pool=10**6):
    claims = [ContributorScore(name, z, se, 1, 1, 0, z + se, 1) for name, (z, se) in found.items()]
    lines = allocate(claims, pool=pool, terms=Terms(Fraction(kappa), "credit"), period="2026-11")
    return {line.contributor_id: line.amount for line in lines}


def payable(found, kappa=0):
    return any(z > kappa * se for z, se in found.values())


def test_the_rule_by_hand():
    """Two queries, two contributors: z = S / max(N, β·median), Z = their mean, SE over the queries."""
    found = credits(
        [
            ("a", "q1", Decimal("0.5")),
            ("a", "q2", Decimal("-0.1")),
            ("b", "q1", Decimal("0.25")),
            ("b", "q2", Decimal("0.3")),
        ]
    )

    # z_a = 2/3, −1/3; z_b = 1/3, 1
    assert found["a"][0] == pytest.approx(Decimal(1) / 6, abs=UNIT)
    assert found["b"][0] == pytest.approx(Decimal(2) / 3, abs=UNIT)
    assert found["a"][1] == pytest.approx(Decimal("0.5"), abs=UNIT)
    assert found["b"][1] == pytest.approx(Decimal(1) / 3, abs=UNIT)


def test_a_query_that_hardly_anything_helps_is_not_blown_up():
    """β keeps a query with next to no positive credit from counting like the others."""
    rows = [*((name, query, Decimal("0.1")) for name in "ab" for query in ("q1", "q2")), ("a", "q3", Decimal("1e-9"))]

    assert credits(rows)["a"][0] - credits(rows)["b"][0] < Decimal("1e-6")
    assert credits(rows, pool=Pool(part="1", pays="queries", beta="0.000001"))["a"][0] > Decimal("0.33")


@again
@given(ROWS, st.integers(1, 10**6))
def test_the_scale_of_the_scores_does_not_matter(rows, factor):
    """Scores × c changes nothing, to the last digit."""
    rows = rows + EVERY

    assert credits([(name, query, value * factor) for name, query, value in rows]) == credits(rows)


@again
@given(st.data(), ROWS)
def test_permuting_and_splitting_rows_changes_nothing(data, rows):
    """Permuting inputs gives the same; a row's credit in two halves under the same name is the same row."""
    rows = rows + EVERY
    parts = [(name, query, value / 2) for name, query, value in rows for _ in range(2)]

    assert credits(data.draw(st.permutations(rows))) == credits(parts) == credits(rows)


@again
@given(ROWS, st.integers(2, 5))
def test_a_split_into_names_gains_a_unit_a_name_at_most(rows, names):
    """A split into m names gains ≤ m units where queries pay, whatever κ is: Z and SE are cut against it."""
    rows = rows + EVERY
    whole = [("x", query, Decimal(steps).scaleb(-6)) for query, steps in zip(QUERIES, (300, 60, 540), strict=True)]
    parts = [(f"x{n}", query, value / names) for n in range(names) for _, query, value in whole]
    before, after = credits(rows + whole), credits(rows + parts)

    for kappa in (0, 1):
        if payable(before, kappa) and payable(after, kappa):
            one, many = pay(before, kappa), pay(after, kappa)
            assert sum(many[f"x{n}"] for n in range(names)) <= one["x"] + names


@proved
@given(ROWS, st.lists(CREDITS.filter(lambda value: value < 0), min_size=3, max_size=3))
def test_harm_alone_earns_nothing_and_dilutes_nobody(rows, harm):
    """All rows negative on all queries → 0 and nobody else lower."""
    rows = rows + EVERY
    harmful = [("harmful", query, value) for query, value in zip(QUERIES, harm, strict=True)]
    with_, without = credits(rows + harmful), credits(rows)
    assume(payable(without))

    assert pay(with_) == pay(without) | {"harmful": 0}
    assert with_.pop("harmful")[0] < 0
    assert with_ == without


@again
@given(ROWS, st.lists(CREDITS.filter(lambda value: value < 0), min_size=1, max_size=3))
def test_hiding_harmful_rows_never_beats_leaving_them_out(rows, harm):
    """Under a throw-away name they earn what not handing them in earns; under one's own they cost."""
    rows = [*rows, *EVERY, ("a", "q2", Decimal("0.0003"))]
    hidden = [("throw-away", "q1", value) for value in harm]
    own = [("a", "q1", value) for value in harm]
    without = credits(rows)

    assert pay(credits(rows + hidden)) == pay(without) | {"throw-away": 0}
    assert credits(rows + own)["a"][0] <= without["a"][0]


@again
@given(ROWS)
def test_null_credit_is_nothing(rows):
    """Null contributor → 0, and removing it changes nobody."""
    rows = rows + EVERY

    found = credits([*rows, ("null", "q1", Decimal(0))])

    assert found.pop("null") == (Decimal(0), Decimal(0))
    assert found == credits(rows)


@again
@given(ROWS, st.data())
def test_withdrawing_helpful_rows_never_raises_own_pay(rows, data):
    """Withdrawing never raises own pay: a row taken back that helped a query leaves less (κ = 0; rounding apart)."""
    rows = rows + EVERY
    helpful = [row for row in rows if row[2] > 0 and row[0] != "z"]
    assume(helpful)
    taken = data.draw(st.sampled_from(helpful))
    left = list(rows)
    left.remove(taken)
    # What β makes of a query changes with the others' median; here no query is below it.
    pool = Pool(part="1", pays="queries", beta="0.000001")
    before, after = credits(rows, pool=pool), credits(left, pool=pool)

    assert after.get(taken[0], (Decimal(0),))[0] <= before[taken[0]][0] + UNIT


@proved
@given(ROWS, st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_one_query_moves_a_payout_by_its_weight_at_most(rows, amounts):
    """One query moves a payout by ≤ w_q·pool/ΣV, whoever it pays and whatever the others got there (±1 unit)."""
    rows, pool = rows + EVERY, 10**6
    usage = [Payment(query, query, Fraction(amount)) for query, amount in zip(QUERIES, amounts, strict=True)]
    found = credits(rows, usage)
    assume(payable(found))
    total = sum(max(Fraction(z), 0) for z, _ in found.values())

    for payment in usage:
        weight = payment.amount / sum(amounts)
        for name, (z, se) in found.items():
            without = found | {name: (z - decimal(weight * part_of(rows, name, payment.query)), se)}
            if payable(without):
                assert abs(pay(found)[name] - pay(without)[name]) <= weight * pool / total + 1


def part_of(rows, name, query):
    """z_kq of somebody whose rows helped there; below 0 it earns nothing and bounds nothing."""
    net = sum(Fraction(value) for n, q, value in rows if (n, q) == (name, query))
    positive = {one: sum(max(Fraction(value), 0) for _, q, value in rows if q == one) for one in QUERIES}
    floor = Fraction(POOL.beta) * sorted(positive.values())[1]
    return max(net, Fraction(0)) / max(positive[query], floor)


def decimal(value):
    return Decimal(value.numerator) / Decimal(value.denominator)


def test_what_a_user_paid_beyond_the_cap_does_not_count():
    """Capped at a tenth, nine tenths of one user weigh as the tenth of another; uncapped, nine times as much."""
    usage = [Payment("q1", "rich", Fraction(90)), Payment("q2", "other", Fraction(10))]

    assert query_weights(usage, Fraction("0.1")) == {"q1": 5 * 10**17, "q2": 5 * 10**17}
    assert query_weights(usage, Fraction(1)) == {"q1": 9 * 10**17, "q2": 10**17}


def test_one_query_has_no_standard_error():
    """A single query cannot say how certain it is, so it pays nobody."""
    with pytest.raises(RewardError, match="pool answers: 1 queries count, expected 2 or more"):
        credits([("a", "q1", Decimal(1))])


def test_a_query_without_a_score_cannot_pay():
    """What was paid for and not attributed is named."""
    usage = [Payment(query, "u", Fraction(1)) for query in ("q1", "q2", "q9")]

    with pytest.raises(RewardError, match=r"pool answers: query 'q9' was paid for and has no line in scores\.parquet"):
        credits(EVERY, usage)
