"""Theorems of pools that pay query by query: credit is netted over rows, normalised by query, clipped last."""

from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rewards.books import proved
from tribute.errors import RewardError
from tribute.rewards import Claim, allocate
from tribute.rewards.policy import Pool
from tribute.rewards.queries import WEIGHT_STEPS, Payment, credit_of_queries, query_weights, read_usage

POOL = Pool(part="1", pays="queries")
QUERIES = ("q1", "q2", "q3")
CREDITS = st.integers(-1000, 1000).map(lambda steps: Decimal(steps).scaleb(-6))
ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(QUERIES), CREDITS), min_size=1, max_size=24)
EVERY = [("z", query, Decimal("0.0001")) for query in QUERIES]
"""A row for every query, so that all of them count in every example."""
UNIT = Decimal("1e-11")
"""What rounding to 12 decimals may add up to over three queries."""


def credits(rows, usage=None, pool=POOL):
    names, queries, values = zip(*rows, strict=True)
    table = pa.table({"contributor_id": names, "query": queries, "credit": pa.array(values, pa.decimal128(38, 12))})
    return credit_of_queries(table, pool, usage, "answers")


def pay(found, kappa=0, pool=10**6):
    claims = [Claim(name, z, se, 1, 1, 0, z + se, 1) for name, (z, se) in found.items()]
    lines = allocate(claims, pool=pool, kappa=Fraction(kappa), period="2026-11", rule="credit")
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


@proved
@given(ROWS, st.integers(1, 10**6))
def test_the_scale_of_the_scores_does_not_matter(rows, factor):
    """Scores × c changes nothing, to the last digit."""
    rows = rows + EVERY

    assert credits([(name, query, value * factor) for name, query, value in rows]) == credits(rows)


@proved
@given(st.data(), ROWS)
def test_permuting_and_splitting_rows_changes_nothing(data, rows):
    """Permuting inputs gives the same; a row's credit in two halves under the same name is the same row."""
    rows = rows + EVERY
    parts = [(name, query, value / 2) for name, query, value in rows for _ in range(2)]

    assert credits(data.draw(st.permutations(rows))) == credits(rows)
    assert credits(parts) == credits(rows)


@proved
@given(ROWS, st.integers(2, 5))
def test_a_split_into_names_gains_a_unit_a_name_at_most(rows, names):
    """Splitting into m names whose parts are all positive gains ≤ m units at κ = 0, and never with κ > 0."""
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

    assert with_.pop("harmful")[0] < 0
    assert with_ == without


@proved
@given(ROWS, st.lists(CREDITS.filter(lambda value: value < 0), min_size=1, max_size=3))
def test_hiding_harmful_rows_never_beats_leaving_them_out(rows, harm):
    """Under a throw-away name they earn what not handing them in earns; under one's own they cost."""
    rows = rows + EVERY
    hidden = [("throw-away", "q1", value) for value in harm]
    own = [("a", "q1", value) for value in harm]
    assume(payable(credits(rows)) and "a" in credits(rows))

    assert pay(credits(rows + hidden)) == pay(credits(rows)) | {"throw-away": 0}
    assert credits(rows + own)["a"][0] <= credits(rows)["a"][0]


@proved
@given(ROWS)
def test_null_credit_is_nothing(rows):
    """Null contributor → 0, and removing it changes nobody."""
    rows = rows + EVERY

    found = credits([*rows, ("null", "q1", Decimal(0))])

    assert found.pop("null") == (Decimal(0), Decimal(0))
    assert found == credits(rows)


@proved
@given(ROWS, st.data())
def test_withdrawing_helpful_rows_never_raises_own_pay(rows, data):
    """Whoever takes a row back that helped a query gets no more for it (κ = 0; rounding apart)."""
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
def test_one_query_moves_a_payout_by_its_weight_at_most(rows, paid):
    """A query is worth at most w_q of a contributor's Z, so w_q · pool / ΣV of a payout."""
    rows = rows + EVERY
    usage = [Payment(query, query, Fraction(amount)) for query, amount in zip(QUERIES, paid, strict=True)]
    found = credits(rows, usage)
    helped = {name: {q for n, q, _ in rows if n == name and _net(rows, n, q) > 0} for name in found}
    weights = {one.query: one.amount / sum(paid) for one in usage}

    for name, (z, _) in found.items():
        assert Fraction(z) <= sum(weights[query] for query in helped[name])
    total = sum(max(Fraction(z), 0) for z, _ in found.values())
    assume(total > 0)
    without = {name: (Decimal(0) if q1_only(helped[name]) else z, se) for name, (z, se) in found.items()}
    for name in found:
        if q1_only(helped[name]) and found[name][0] > 0 and payable(without):
            moved = pay(found)[name] - pay(without)[name]
            assert moved <= weights["q1"] * 10**6 / total + 1


def q1_only(queries):
    return queries == {"q1"}


def _net(rows, name, query):
    return sum(value for n, q, value in rows if (n, q) == (name, query))


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


def test_one_query_has_no_standard_error():
    """A single query cannot say how certain it is, so it pays nobody."""
    with pytest.raises(RewardError, match="pool answers: 1 queries count, expected 2 or more"):
        credits([("a", "q1", Decimal(1))])


def test_a_query_without_a_score_cannot_pay():
    """What was paid for and not attributed is named."""
    usage = [Payment(query, "u", Fraction(1)) for query in ("q1", "q2", "q9")]

    with pytest.raises(RewardError, match=r"pool answers: query 'q9' was paid for and has no line in scores\.parquet"):
        credits(EVERY, usage)


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
        ("query,user,amount\nq1,u\n", r"usage\.csv:2: amount None"),
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
