"""Theorem: what time and policy do to an accrual; every unit is accrued, held, payable, paid or taken back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import POLICY, closed, empty, proved
from tribute.errors import RewardError
from tribute.rewards.allocation.funding import divide
from tribute.rewards.ledger import accounts, balances, corrections, postings
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import move
from tribute.rewards.ledger.journal import mirror
from tribute.rewards.policy.policy import Policy

PERIODS = ["2026-11", "2026-12", "2027-01", "2027-02", "2027-03"]
AMOUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 10**6), min_size=1, max_size=3)
NAMES = [(name, "EUR") for name in "abcd"]


def stages(books, name, currency="EUR"):
    """(Accrued, held, payable) of a contributor."""
    return tuple(
        books.balance(account(name), currency) for account in (accounts.accrued, accounts.held, accounts.payable)
    )


def paid_out(books, period, policy=POLICY, day=""):
    """The ledger after everything in the period's payables.csv is paid."""
    entries = []
    for row in balances.payable_rows(books, period, policy, {}):
        name = row.payee_ref.removeprefix("payee:")
        about = {"posted_at": day or f"{books.open_period}-01", "currency": row.currency, "contributor_id": name}
        key = row.idempotency_key
        entries.append(
            move("PAY", row.amount_minor, accounts.payable(name), accounts.BANK, idempotency_key=key, **about)
        )
        if row.withheld_minor:
            tax = {"idempotency_key": f"{key}/withhold", **about}
            entries.append(move("WITHHOLD", row.withheld_minor, accounts.payable(name), accounts.TAX, **tax))
    return books.with_entries(entries)


def is_payment(row, name):
    return row.event == "PAY" and row.account == accounts.payable(name)


def test_an_accrual_goes_through_its_life():
    """Accrued and held at the close, payable after 30 days, the holdback after 60, and then paid less the tax."""
    first = closed(empty(), "2026-11", {"a": 100_000})
    second = closed(first, "2026-12", {"b": 1000})
    third = closed(paid_out(second, "2026-12"), "2027-01", {"b": 1000})

    assert stages(first, "a") == (80_000, 20_000, 0)
    assert stages(second, "a") == (0, 20_000, 80_000)
    assert stages(third, "a") == (0, 0, 20_000)
    assert third.balance(accounts.TAX, "EUR") == 12_000
    assert third.balance(accounts.BANK, "EUR") == 68_000


def test_the_fee_is_divided_by_the_policy():
    """Platform, model owner, reserve and pools get their parts, and the parts are the fee to the last unit."""
    policy = Policy.model_validate(
        POLICY.model_dump()
        | {"pools": {"a": {"part": "0.3", "pays": "shares"}, "b": {"part": "0.7", "pays": "queries"}}}
    )

    funding = divide(100_003, "EUR", policy, "2026-11")

    assert (funding.platform + funding.model_owner + funding.reserve + funding.contributors) == 100_003
    assert abs(funding.pools["b"] - Fraction(7, 10) * funding.contributors) < 1


@proved
@given(
    st.integers(20, 10**12),
    st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(lambda parts: parts[3] > 50),
)
def test_the_parts_of_the_fee_sum_to_it(net, parts):
    """Sum of lines = pool, of the fee's parts too, whatever the policy's decimals."""
    whole = sum(parts)
    shares = [part * 10**6 // whole for part in parts]
    shares[3] += 10**6 - sum(shares)
    split = {
        name: f"{share // 10**6}.{share % 10**6:06d}"
        for name, share in zip(("platform", "model_owner", "reserve", "contributors"), shares, strict=True)
    }
    policy = Policy.model_validate(POLICY.model_dump() | {"split": split})

    funding = divide(net, "EUR", policy, "2026-11")

    assert funding.platform + funding.model_owner + funding.reserve + funding.contributors == net
    for name, share in split.items():
        assert abs(getattr(funding, name) - Fraction(share) * net) < 1


def test_a_pool_of_nothing_is_refused():
    """A pool that its part makes 0 minor units is an error, not a period in which nobody is paid."""
    policy = Policy.model_validate(
        POLICY.model_dump()
        | {"pools": {"a": {"part": "0.001", "pays": "shares"}, "b": {"part": "0.999", "pays": "shares"}}}
    )

    with pytest.raises(RewardError, match=r"pool a of 2026-11 would be 0 of 1.00 EUR; a pool needs at least one"):
        divide(100, "EUR", policy, "2026-11")


@proved
@given(st.lists(AMOUNTS, min_size=1, max_size=4))
def test_opening_and_movements_make_closing(periods):
    """opening + accrued ± adjusted − paid = closing, tax withheld being paid too; closing is the next opening."""
    books, before = empty(), {}
    for period, amounts in zip(PERIODS, periods, strict=False):
        if books.postings:
            books = paid_out(books, books.closed[-1])
        books = closed(books, period, amounts)
        after = {}
        for row in balances.balance_rows(books, period, NAMES):
            n = row._asdict()
            assert n["opening"] + n["accrued"] + n["adjusted"] - n["withheld"] - n["paid"] == n["closing"]
            assert n["opening"] == before.get(row.contributor_id, 0)
            assert n["closing"] == sum(stages(books, row.contributor_id))
            after[row.contributor_id] = n["closing"]
        before = after


@proved
@given(st.lists(AMOUNTS, min_size=1, max_size=3), st.integers(1, 10**7))
def test_the_threshold_moves_timing_only(periods, threshold):
    """The threshold moves timing only: what it keeps back carries forward, and is owed or paid in the end.

    Paid and owed add up to the same for everybody, and nobody is paid sooner by a higher threshold.
    """
    totals = []
    for least in (1, threshold):
        policy = Policy.model_validate(
            POLICY.model_dump() | {"threshold": {"EUR": f"{least // 100}.{least % 100:02d}"}, "withholding": "0"}
        )
        books = empty()
        for period, amounts in zip(PERIODS, [*periods, {"a": 100}], strict=False):
            if books.postings:
                books = paid_out(books, books.closed[-1], policy)
            books = closed(books, period, amounts, policy)
        paid = {name: sum(max(row.amount, 0) for row in books.postings if is_payment(row, name)) for name in "abcd"}
        owed = {name: sum(stages(books, name)) for name in "abcd"}
        totals.append((paid, owed))

    (at_once, owed), (later, left) = totals

    for name in "abcd":
        assert at_once[name] + owed[name] == later[name] + left[name]
        assert later[name] <= at_once[name]


def test_a_balance_below_the_threshold_carries_forward():
    """Two periods of 6.00 are paid as 12.00 where the threshold is 10.00."""
    policy = Policy.model_validate(POLICY.model_dump() | {"withholding": "0", "holdback": {"part": "0"}})
    first = closed(empty(), "2026-11", {"a": 600}, policy)
    second = closed(first, "2026-12", {"a": 600}, policy)
    third = closed(second, "2027-01", {"b": 600}, policy)

    assert balances.payable_rows(second, "2026-12", policy, {}) == []
    assert [row.amount_minor for row in balances.payable_rows(third, "2027-01", policy, {})] == [1200]


def test_what_was_handed_over_is_not_handed_over_again(tmp_path):
    """Until a PAY records them, the payments of an earlier period are in flight, with their tax."""
    from tribute.rewards import tables

    second = closed(closed(empty(), "2026-11", {"a": 100_000}), "2026-12", {"b": 1000})
    handed = balances.payable_rows(second, "2026-12", POLICY, {})
    for period in second.closed:
        (tmp_path / period).mkdir()
        rows = handed if period == "2026-12" else []
        tables.write(tmp_path / period / "payables.csv", tables.PAYABLES, rows)

    flying = balances.in_flight(tmp_path, second)

    assert flying == {("a", "EUR"): 80_000}
    assert balances.payable_rows(second, "2027-01", POLICY, flying) == []
    assert balances.in_flight(tmp_path, paid_out(second, "2026-12")) == {}


def test_payables_name_payments_for_a_bank(tmp_path):
    """Ids are the same wherever the file is made, and fit the bank's 35 characters for the longest id."""
    name = "x" * 40
    books = closed(closed(empty(), "2026-11", {name: 100_000}), "2026-12", {"b": 1000})

    [row] = balances.payable_rows(books, "2026-12", POLICY, {})

    assert (row.payment_id, row.statement_id) == (f"2026-12-{name}-EUR", f"2026-12-{name}")
    assert (row.amount_minor, row.withheld_minor, row.exponent) == (68000, 12000, 2)
    assert row.value_date == "2027-01-01"
    assert len(row.end_to_end_id) <= 35
    assert row == balances.payable_rows(books, "2026-12", POLICY, {})[0]


def test_what_is_undone_counts_as_what_it_undoes():
    """A payment that comes back is not paid, its tax not withheld, a reversed accrual not accrued; `adjusted` stays 0.

    So a balance tells what happened, and not only what is left.
    """
    books = paid_out(closed(closed(empty(), "2026-11", {"a": 100_000}), "2026-12", {"b": 1000}), "2026-12")
    undone = [row.entry_id for row in books.postings if row.event in ("PAY", "WITHHOLD")][::2]
    undone.append(books.find("2026-12/HOLD/evaluation/EUR/b")[0].entry_id)
    undone.append(books.find("2026-12/ACCRUE/evaluation/EUR/b")[0].entry_id)

    for entry in undone:
        about = {"posted_at": "2027-01-02", "key": f"back/{entry}", "reason_code": "returned"}
        books = books.with_entries([mirror("REVERSE", books.entry(entry), **about)])

    rows = balances.balance_rows(books, "2027-01", [])
    names = ("contributor_id", "opening", "accrued", "adjusted", "withheld", "paid", "closing")
    assert [[str(getattr(row, name)) for name in names] for row in rows] == [
        ["a", "100000", "0", "0", "0", "0", "100000"],
        ["b", "1000", "-1000", "0", "0", "0", "0"],
    ]


def test_each_period_keeps_its_own_terms():
    """A holdback of 60 days stays one of 60 days where a later policy says 10."""
    quick = Policy.model_validate(POLICY.model_dump() | {"holdback": {"part": "0.5", "days": 10}, "dispute_days": 0})
    books = closed(empty(), "2026-11", {"a": 1000})
    terms = {"2026-11": POLICY, "2026-12": quick}

    entries = postings.due(books, "2026-12-31", terms)

    assert [(entry.event, entry.lines[0][1]) for entry in entries] == [("PAYABLE", 800)]


def test_due_twice_is_due_once():
    """Releasing again on the same day posts nothing more."""
    books = closed(empty(), "2026-11", {"a": 1000})
    terms = {"2026-11": POLICY}

    once = books.with_entries(postings.due(books, "2026-12-31", terms))
    twice = once.with_entries(postings.due(once, "2026-12-31", terms))

    assert (stages(once, "a"), twice.postings) == ((0, 200, 800), once.postings)


def test_what_can_still_be_disputed_is_not_payable():
    """The window's last day, 30 days after the accrual, belongs to the contributor; the day after, it is payable."""
    books = closed(empty(), "2026-11", {"a": 1000})
    terms = {"2026-11": POLICY}

    assert postings.due(books, "2026-12-30", terms) == []
    assert [entry.event for entry in postings.due(books, "2026-12-31", terms)] == ["PAYABLE"]


def test_a_holdback_waits_for_its_dispute():
    """60 days are over and its accrual in dispute: it stays held until that is settled; the others' is released."""
    books = closed(empty(), "2026-11", {"a": 1000, "b": 1000})
    accrual = books.find("2026-11/ACCRUE/evaluation/EUR/a")[0].entry_id
    cause = Cause("a", "EUR", accrual, "2026-11-a-1", "2026-12-05")
    held = books.with_entries(corrections.disputed(books, cause, 10**6))
    [entry] = [row.entry_id for row in held.postings if row.reason == cause.reason][::2]

    later = closed(closed(held, "2026-12", {"b": 1000}), "2027-01", {"b": 1000})
    back = later.with_entries(corrections.settled(later, [entry], "settled", "2027-02-05"))
    last = closed(back, "2027-02", {"b": 1000})

    assert (stages(later, "a"), stages(later, "b")[2]) == ((0, 1000, 0), 1800)
    assert stages(last, "a") == (0, 0, 1000)


def test_two_currencies_do_not_mix():
    """Each currency is a ledger of its own: no entry moves between them."""
    books = closed(empty(), "2026-11", {"a": 1000})
    yen = closed(Ledger(books.folder, books.postings, books.closed), "2026-12", {"a": 7}, currency="JPY")

    assert stages(yen, "a", "JPY") == (6, 1, 0)
    assert stages(yen, "a", "EUR") == (0, 200, 800)
