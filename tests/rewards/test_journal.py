"""Theorem: debits equal credits in every entry, every line is chained to the one before."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.errors import RewardError
from tribute.rewards import Claim, allocate, journal


def entries(pool=1000, names=("a", "b", "c")):
    claims = [Claim(name, Decimal(n), Decimal(0), 1, 1, 0, Decimal(n), 1) for n, name in enumerate(names)]
    lines = allocate(claims, pool=pool, kappa=Fraction(0), period="2026-02", rule="credit")
    return journal.post_period(lines, period="2026-02", pool_name="evaluation", pool=pool, currency="EUR")


@given(st.integers(min_value=1, max_value=10**24))
def test_a_period_balances_and_empties_the_reserve(pool):
    """What is funded is accrued to the last unit, and the journal finds no fault in itself."""
    rows = entries(pool)

    balances = journal.balances(rows)
    assert journal.faults(rows) == []
    assert balances[journal.RESERVE] == 0
    assert balances[journal.EXPENSE] == -pool
    assert sum(value for account, value in balances.items() if account.endswith(":Accrued")) == pool


def test_who_gets_nothing_has_no_entry():
    """There is one FUND, one ACCRUE for each payee, and none of zero."""
    rows = entries()

    assert [row["event_type"] for row in rows[::2]] == ["FUND", "ACCRUE", "ACCRUE"]
    assert {row["contributor_id"] for row in rows} == {"", "b", "c"}


def test_entries_are_posted_on_the_last_day_of_the_period():
    """The posting date is the period's, never the clock's; leap years included."""
    assert {row["posted_at"] for row in entries()} == {"2026-02-28"}
    assert journal.last_day("2028-02") == "2028-02-29"


@given(st.data())
def test_any_changed_value_is_found(data):
    """Changing one value of one line leaves a fault."""
    rows = entries()
    row = rows[data.draw(st.integers(0, len(rows) - 1))]
    column = data.draw(st.sampled_from(sorted(row)))
    row[column] = "7" if column in ("seq", "debit_minor", "credit_minor") else row[column] + "x"

    assert journal.faults(rows)


@given(st.data())
def test_a_removed_or_moved_line_is_found(data):
    """Leaving out a line, the last pair excepted, or exchanging two breaks the chain."""
    rows = entries()
    place = data.draw(st.integers(0, len(rows) - 2))
    if data.draw(st.booleans()):
        del rows[place]
    else:
        rows[place], rows[place + 1] = rows[place + 1], rows[place]

    assert journal.faults(rows)


def test_the_chain_continues_a_ledger():
    """The first line takes up the hash at which an earlier period ended."""
    first = entries()
    claim = Claim("a", Decimal(1), Decimal(0), 1, 1, 0, Decimal(1), 1)
    lines = allocate([claim], pool=5, kappa=Fraction(0), period="2026-03", rule="credit")

    second = journal.post_period(
        lines,
        period="2026-03",
        pool_name="evaluation",
        pool=5,
        currency="EUR",
        previous=first[-1]["entry_hash"],
    )

    assert journal.faults(second, first[-1]["entry_hash"]) == []
    assert journal.faults(second) == ["line 1 is not chained to the line before it"]


def test_an_idempotency_key_belongs_to_one_entry():
    """Two entries with the same key are a fault, even where each balances."""
    rows = entries()
    twice = journal.chain([*rows, *({**row, "entry_id": "2026-02-000009"} for row in rows[-2:])])

    assert any("repeats the idempotency key 2026-02/evaluation/ACCRUE/c" in fault for fault in journal.faults(twice))


@pytest.mark.parametrize("period", ["2026-13", "2026-1", "26-11", "0000-01", "2026-11-01", "../x"])
def test_what_is_not_a_month_is_refused(period):
    """A period is a month, written with four and two digits."""
    with pytest.raises(RewardError, match="is not a month; write it like 2026-11"):
        journal.last_day(period)
