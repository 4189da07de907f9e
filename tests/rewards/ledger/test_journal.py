"""Theorem: debits equal credits in every entry, every line is chained to the one before, over all months."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import closed, empty, proved
from tribute import months
from tribute.digests import canonical_digest
from tribute.errors import RewardError
from tribute.rewards.ledger import accounts, journal
from tribute.rewards.ledger.entries import Entry, move
from tribute.rewards.ledger.journal import Posting, mirror


def rows():
    return closed(closed(empty(), "2026-01", {"a": 700, "b": 300}), "2026-02", {"a": 10, "c": 5}).postings


@proved
@given(st.integers(min_value=100, max_value=10**24))
def test_a_period_balances_and_empties_the_pool(pool):
    """Sum of lines = pool: what is funded is accrued to the last unit, and the journal finds no fault in itself."""
    found = closed(empty(), "2026-02", {"a": pool // 3, "b": pool - pool // 3}).postings

    balances = journal.account_balances(found)
    assert journal.faults(found) == []
    assert balances[accounts.POOL, "EUR"] == 0
    assert sum(balances.values()) == 0
    assert sum(value for (account, _), value in balances.items() if accounts.owner(account)[0]) == pool


def test_who_gets_nothing_has_no_entry():
    """An amount of zero is no entry."""
    found = closed(empty(), "2026-02", {"a": 0, "b": 1000}).postings

    assert {row.contributor_id for row in found} == {"", "b"}


def test_entries_of_a_close_are_posted_on_the_last_day_of_the_period():
    """The posting date is the period's, never the clock's; leap years included. Each says for what reason it is."""
    found = closed(closed(empty(), "2026-01", {"a": 100}), "2026-02", {"a": 100}).of_period("2026-02")

    assert {row.day for row in found} == {"2026-02-28"}
    assert all(row.reason for row in found)
    assert months.last_day("2028-02") == "2028-02-29"
    assert months.next_period("2026-12") == "2027-01"


@given(st.data())
def test_any_changed_value_is_found(data):
    """Changing one value of one line leaves a fault."""
    found = rows()
    place = data.draw(st.integers(0, len(found) - 1))
    line = found[place].texts()
    column = data.draw(st.sampled_from(sorted(line)))
    line[column] = "77" if column in ("seq", "debit_minor", "credit_minor") else line[column] + "x"
    found[place] = Posting.parse(line)

    assert journal.faults(found)


@given(st.data())
def test_a_number_written_in_another_way_is_found(data):
    """Leading zeros, signs, blanks and two filled columns give the same number, and not the line that was hashed."""
    found = rows()
    place = data.draw(st.integers(0, len(found) - 1))
    line = found[place].texts()
    column = data.draw(st.sampled_from(["seq", "debit_minor", "credit_minor"]))
    line[column] = data.draw(st.sampled_from(["0{}", "+{}", " {}", "{} "])).format(line[column])
    forged = journal.entry_hash(line)
    found[place] = Posting.parse(line | {"entry_hash": forged})

    assert journal.faults(found)


def test_a_posting_is_on_an_account_of_its_contributor():
    """A line that names one contributor and moves another's money is a fault, even where it is chained."""
    found = closed(empty(), "2026-02", {"a": 700}).postings
    stolen = [one._replace(account=one.account.replace(":a:", ":b:")) for one in found]

    assert any("moves money of another contributor than a" in fault for fault in journal.faults(stolen))


@given(st.data())
def test_a_removed_or_moved_line_is_found(data):
    """Leaving out a line, the last excepted, or exchanging two breaks the chain."""
    found = rows()
    place = data.draw(st.integers(0, len(found) - 2))
    if data.draw(st.booleans()):
        del found[place]
    else:
        found[place], found[place + 1] = found[place + 1], found[place]

    assert journal.faults(found)


def test_the_chain_and_its_numbers_run_on_over_the_months():
    """A month takes up the hash and the number at which the one before ended; entry ids begin anew."""
    found = rows()
    january = [row for row in found if row.period == "2026-01"]
    february = found[len(january) :]

    assert february[0].entry_id == "2026-02-000001"
    assert journal.faults(february, january[-1].hash, len(january)) == []
    assert journal.faults(february)[:2] == [
        f"line 1 has seq {len(january) + 1}, expected 1",
        "line 1 is not chained to the line before it",
    ]


def test_an_idempotency_key_belongs_to_one_entry():
    """Two entries with the same key are a fault, even where each balances."""
    found = closed(empty(), "2026-02", {"a": 700}).postings
    again = Entry("ADJUST", (("Liabilities:Reserve", 1), ("Assets:Bank", -1)), "2026-02-28", "EUR", "2026-02/FUND/EUR")

    twice = [*found, *journal.append(found, [again])]

    assert any("repeats the idempotency key 2026-02/FUND/EUR" in fault for fault in journal.faults(twice))


@given(st.dictionaries(st.sampled_from(["a", "b", "entry_id", "account"]), st.text()))
def test_the_hash_is_of_the_canonical_form(row):
    """`entry_hash` is the sha256 of RFC 8785 JSON, as the library for it writes it."""
    try:
        expected = canonical_digest(row)
    except rfc8785.CanonicalizationError:
        return  # half of a surrogate pair, which no file could hold

    assert journal.entry_hash(row) == expected


def test_a_mirror_undoes_an_entry_exactly():
    """The reverse of an entry takes every account back, and is linked to it."""
    found = rows()
    entry = [row for row in found if row.entry_id == found[0].entry_id]

    back = mirror("REVERSE", entry, posted_at="2026-02-28", key="k", reason_code="slip")

    assert back.ref_entry_id == entry[0].entry_id
    assert set(journal.account_balances([*entry, *journal.append(entry, [back])]).values()) == {0}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((("a", 1), ("b", -2)), r"amounts \[1, -2\]"),
        ((("a", 0), ("b", 0)), r"amounts \[0, 0\]"),
        ((), r"amounts \[\]"),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_made(lines, said):
    """Debits equal credits per entry, and no line is of zero."""
    with pytest.raises(RewardError, match=f"entry k: {said}, expected two or more other than 0 that sum to 0"):
        Entry("ADJUST", lines, "2026-11-30", "EUR", "k")


def test_an_unknown_currency_cannot_be_posted():
    """A currency has an exponent, or no amount of it means anything."""
    with pytest.raises(RewardError, match="currency 'DM' is unknown"):
        move("ADJUST", 1, "a", "b", posted_at="2026-11-30", currency="DM", idempotency_key="k")


@pytest.mark.parametrize("period", ["2026-13", "2026-1", "26-11", "0000-01", "9999-12", "2026-11-01", "../x"])
def test_what_is_not_a_month_is_refused(period):
    """A period is a month, written with four and two digits, and no date reckoned from it leaves the calendar."""
    with pytest.raises(RewardError, match="is not a month of the years 1900 to 2999; write it like 2026-11"):
        months.last_day(period)


@pytest.mark.parametrize("day", ["2026-02-30", "2026-11-30T00:00:00Z", "20261130", "30.11.2026", "2026-W48-1", ""])
def test_what_is_not_a_day_is_refused(day):
    """A day has no time and no time zone, so no clock can shift it."""
    with pytest.raises(RewardError, match="is not a day; write it like 2026-11-30"):
        months.checked_day(day)


def test_rows_are_texts():
    """Every value of a line is text, so that no JSON reader makes a float of an amount."""
    lines = [posting.texts() for posting in rows()]

    assert all(isinstance(text, str) for line in lines for text in line.values())
    assert [Posting.parse(line) for line in json.loads(json.dumps(lines))] == rows()
