"""Shares are sums over rows: names are labels on sums, so no way of naming rows changes what they earn in all."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.attribution.retraining.jobs import TrainedRows
from tribute.attribution.shares import shares as sharing
from tribute.attribution.shares.estimate import Estimate, RowEstimate
from tribute.attribution.shares.row_credits import RowCredits

few = settings(max_examples=40)
NAMES = ("ada", "bob", "cyd", "dan", "eve")
CREDITS = st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 6))


@st.composite
def seed_tables(draw):
    """Scores of some rows under two queries, one table for each of two to four seeds, of positive sums."""
    owners = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12))
    lists = st.lists(CREDITS, min_size=2 * len(owners), max_size=2 * len(owners))
    return [scores(owners, _improving(draw(lists))) for _ in range(draw(st.integers(2, 4)))]


def _improving(credits):
    """Turned round where the sum is negative, raised where it is about nought."""
    signed = [-credit for credit in credits] if sum(credits) < 0 else list(credits)
    return [signed[0] + 0.01, *signed[1:]]


def scores(owners, credits):
    return pd.DataFrame(
        {
            "row_id": np.repeat([f"r:{row}" for row in range(len(owners))], 2),
            "contributor_id": np.repeat(owners, 2),
            "query": ["x", "y"] * len(owners),
            "credit": credits,
        }
    )


def shares_of(tables, names=NAMES, confidence=0.9):
    rows = TrainedRows.of(list(tables[0]["row_id"][::2]), list(tables[0]["contributor_id"][::2]))
    by_row = np.stack([table["credit"].to_numpy().reshape(-1, 2).sum(1) for table in tables])
    known = RowCredits(by_row, by_row.mean(0)[None].repeat(8, 0), np.zeros(len(rows.owner)), 1.0)
    estimate = RowEstimate(known, rows.groups(3), float(by_row.mean(0).sum())).named(rows.owner)
    table = sharing.shares_table(estimate, rows.names, names, confidence, "in-run", len(tables), len(tables))
    return table.set_index("contributor_id")


def renamed(tables, names):
    return [table.assign(contributor_id=names) for table in tables]


@few
@given(seed_tables(), st.data())
def test_splitting_a_name_leaves_every_total_unchanged(tables, data):
    """Ada's rows under ten names earn what ada's rows earn, and nobody else's credit moves."""
    split = [f"ada-{data.draw(st.integers(0, 9))}" if name == "ada" else name for name in tables[0]["contributor_id"]]
    parts = sorted({name for name in split if name.startswith("ada-")})

    before = shares_of(tables)
    after = shares_of(renamed(tables, split), [*NAMES, *parts])

    assert after.loc[["ada", *parts], "credit"].sum() == pytest.approx(before.loc["ada", "credit"])
    assert np.allclose(after.loc[list(NAMES[1:]), "credit"], before.loc[list(NAMES[1:]), "credit"])
    assert after["credit"].sum() == pytest.approx(before["credit"].sum())


@few
@given(seed_tables())
def test_merging_two_names_adds_their_credits(tables):
    """Bob's and cyd's rows under one name have the sum of both credits."""
    merged = tables[0]["contributor_id"].replace("cyd", "bob")

    before, after = shares_of(tables), shares_of(renamed(tables, merged))

    assert after.loc["bob", "credit"] == pytest.approx(before.loc[["bob", "cyd"], "credit"].sum(), abs=1e-9)
    assert after.loc["cyd", "credit"] == 0


@few
@given(seed_tables(), st.permutations(NAMES))
def test_relabelling_permutes_the_table(tables, order):
    """Who bears which name is of no consequence."""
    relabel = dict(zip(NAMES, order, strict=True))

    before = shares_of(tables)
    after = shares_of(renamed(tables, tables[0]["contributor_id"].map(relabel)))

    for column in ("credit", "share", "se"):
        assert np.allclose(after.loc[[relabel[name] for name in NAMES], column], before.loc[list(NAMES), column])


@few
@given(seed_tables())
def test_clipped_shares_sum_to_one(tables):
    """None is negative, and who has no credit above zero has none."""
    table = shares_of(tables)

    assert table["share"].sum() == pytest.approx(1)
    assert (table["share"] >= 0).all()
    assert (table.loc[table["credit"] <= 0, "share"] == 0).all()


@few
@given(seed_tables(), st.floats(0.55, 0.99))
def test_intervals_contain_the_credit(tables, confidence):
    """They widen with the confidence asked for."""
    narrow, wide = shares_of(tables, confidence=0.55), shares_of(tables, confidence=confidence)

    for table in (narrow, wide):
        assert ((table["low"] <= table["credit"]) & (table["credit"] <= table["high"])).all()
    assert (wide["high"] >= narrow["high"] - 1e-12).all()


def test_the_interval_is_students():
    """Eight rows in two clusters, each 1 and 3 by two seeds: a mean of 2, and t of one degree of freedom a cluster."""
    tables = [scores(["ada"] * 4 + ["bob"] * 4, [credit] * 16) for credit in (0.5, 1.5)]

    line = shares_of(tables).loc["ada"]

    assert line["credit"] == pytest.approx(8)
    assert (line["high"] - line["low"]) / 2 == pytest.approx(np.sqrt(line["se"] ** 2) * 2.3534, rel=1e-3)
    assert (line["seeds"], line["trainings"], line["method"]) == (2, 2, "in-run")


def test_a_contributor_without_rows_has_credit_zero():
    """All of its rows were excluded: that is no error."""
    table = shares_of([scores(["ada"], [1.0, 1.0])] * 2, ["ada", "copycat"])

    assert tuple(table.loc["copycat", ["credit", "share", "low", "high"]]) == (0, 0, 0, 0)


def test_what_is_told_from_content_is_rare_where_nothing_differs():
    """Credits that scatter about the division by content are told from it in no more than the promised cases."""
    chance = np.random.default_rng(3)
    content, told = np.array([30, 20, 10, 40]), 0
    for _ in range(400):
        credit = content / content.sum() + chance.normal(0, 0.05, 4)
        estimate = Estimate(credit, np.full(4, 0.05**2), np.full(4, 0.05**2), dof=1e6)
        told += sharing.told_from_content(estimate, content, 0.9) > 0
    surely = Estimate(np.array([0.9, 0.0, 0.0, 0.1]), np.full(4, 1e-4), np.full(4, 1e-4), dof=30)

    assert told / 400 < 0.13
    assert sharing.told_from_content(surely, content, 0.9) == 4
    assert sharing.told_from_content(surely, np.zeros(4), 0.9) == 0
