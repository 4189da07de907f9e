"""Theorem: one ledger, append-only; a key has one effect; nothing lands in a month that is not open."""

import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import closed, empty, proved
from tribute.errors import RewardError
from tribute.rewards.ledger import accounts, calendar, journal, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import move
from tribute.workspace import Workspace


def reserve(amount, key="k", day="2026-11-05", reason="r"):
    about = {"posted_at": day, "currency": "EUR", "idempotency_key": key, "reason_code": reason}
    return move("RESERVE", amount, accounts.EXPENSE, accounts.RESERVE, **about)


@pytest.fixture
def workspace(tmp_path):
    home = Workspace.create(tmp_path / "w")
    calendar.simulate(home.rewards, "2027-12-31")
    return home


def month(workspace, period="2026-11"):
    return workspace.rewards / "journal" / f"{period}.csv"


def test_what_is_posted_is_read_again(workspace):
    """The month's file holds the lines, chained and balanced."""
    made = ledger.post(workspace, [reserve(5), reserve(6, "l")])

    assert journal.read_journal(month(workspace)) == made
    assert ledger.load(workspace).postings == made
    assert ledger.load(workspace).balance(accounts.RESERVE, "EUR") == 11
    assert journal.faults(made) == []


@proved
@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_same_key_twice_has_one_effect_and_another_body_is_an_error(amount, other):
    """Same idempotency key twice → one effect; same key, other body → error, and nothing is posted."""
    books = empty().with_entries([reserve(amount)])

    again = books.with_entries([reserve(amount, day="2026-11-06"), reserve(amount)])

    assert again.postings == books.postings
    if other != amount:
        with pytest.raises(RewardError, match="idempotency key k was posted before with another body"):
            books.with_entries([reserve(1, "new"), reserve(other)])


def test_the_same_key_in_one_batch(workspace):
    """Twice in one batch is posted once; with another body none of the batch is posted."""
    with pytest.raises(RewardError, match="another body"):
        ledger.post(workspace, [reserve(5), reserve(6)])
    assert not month(workspace).exists()

    assert len(ledger.post(workspace, [reserve(5), reserve(5)])) == 2


def test_posting_only_appends(workspace):
    """What was posted earlier stays byte for byte as it was."""
    ledger.post(workspace, [reserve(5)])
    before = month(workspace).read_bytes()

    ledger.post(workspace, [reserve(6, "l", "2026-11-07")])

    assert month(workspace).read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-04", "2026-11-04 is before the ledger's last posting on 2026-11-05"),
        ("2026-12-01", "2026-12-01 lies outside the open period 2026-11"),
        ("2026-10-31", "2026-10-31 lies outside the open period 2026-11"),
        ("2026-11-31", "'2026-11-31' is not a day"),
        ("2026-11-05T23:59:59+14:00", "is not a day"),
    ],
)
def test_a_day_that_does_not_follow_is_refused(workspace, day, said):
    """Clocks that go back, run ahead, or speak of time zones post nothing."""
    ledger.post(workspace, [reserve(5)])
    before = month(workspace).read_bytes()

    with pytest.raises(RewardError, match=said):
        ledger.post(workspace, [reserve(6, "l"), reserve(7, "m", day)])

    assert month(workspace).read_bytes() == before


def test_a_closed_month_takes_no_entry():
    """Nothing is posted into a sealed month, and after it only into the next."""
    books = closed(empty(), "2026-11", {"a": 1000})

    with pytest.raises(RewardError, match="2026-11-30 lies in 2026-11, which is closed and sealed; post in 2026-12"):
        books.with_entries([reserve(1, day="2026-11-30")])
    with pytest.raises(RewardError, match="2027-01-01 lies outside the open period 2026-12"):
        books.with_entries([reserve(1, day="2027-01-01")])
    assert books.open_period == "2026-12"


def test_periods_follow_one_another():
    """A period that overlaps the closed ones or leaves a gap is refused; the first may be any."""
    books = closed(empty(), "2026-11", {"a": 1000})

    for period in ("2026-10", "2026-11", "2027-01"):
        with pytest.raises(RewardError, match=f"{period} cannot be paid now: the open period is 2026-12"):
            books.refuse_period(period)
    books.refuse_period("2026-12")
    empty().refuse_period("1999-01")


@pytest.mark.parametrize(
    ("amount", "debit", "credit", "currency"),
    [
        (801, accounts.accrued("a"), accounts.payable("a"), "EUR"),
        (1, accounts.payable("a"), accounts.BANK, "EUR"),
        (1, accounts.accrued("a"), accounts.payable("a"), "JPY"),
        (1, accounts.accrued("a"), accounts.claim("a"), "EUR"),
        (10**9, accounts.RESERVE, accounts.accrued("a"), "EUR"),
    ],
)
def test_no_account_is_overdrawn(amount, debit, credit, currency):
    """More than stands on a liability cannot be taken from it, nor a claim netted that is none."""
    books = closed(empty(), "2026-11", {"a": 1000})
    about = {"posted_at": "2026-12-01", "currency": currency, "idempotency_key": "k", "ref_entry_id": ""}

    with pytest.raises(RewardError, match="would be overdrawn by"):
        books.with_entries([move("ADJUST", amount, debit, credit, **about)])


def test_an_unknown_entry_is_named():
    """Looking for an entry that is not there says where entries are."""
    with pytest.raises(RewardError, match=r"there is no entry 2026-11-000009 in journal; entry ids stand in its files"):
        empty().entry("2026-11-000009")


def _post_many(root, who):
    for number in range(10):
        ledger.post(Workspace.open(root), [reserve(1, f"{who}/{number}")])


def test_several_writers_lose_nothing(workspace):
    """Processes that post at the same time wait for one another: every entry is there, in one chain."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_post_many, args=(workspace.root, who)) for who in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    books = ledger.load(workspace)
    assert books.balance(accounts.RESERVE, "EUR") == 40
    assert journal.faults(books.postings) == []


def test_the_first_period_is_remembered(workspace):
    """What `period open` names is the only month to post in, from the first entry on."""
    ledger.set_first(workspace.rewards, "2026-11")

    with pytest.raises(RewardError, match="2026-10-31 lies outside the open period 2026-11"):
        ledger.post(workspace, [reserve(1, day="2026-10-31")])
    assert ledger.post(workspace, [reserve(1)])


def test_a_look_at_what_would_be_posted_changes_nothing(workspace):
    """`with_entries` is a ledger of its own."""
    books = ledger.load(workspace)

    after = books.with_entries([reserve(5)])

    assert isinstance(after, Ledger)
    assert (len(after.postings), books.postings, books.balances()) == (2, [], {})
    assert not month(workspace).exists()


def test_the_lock_lies_beside_what_it_guards(tmp_path):
    """scratch/ may be deleted at any time; the lock of those who are posting stays."""
    workspace = Workspace.create(tmp_path)

    with ledger.writing(workspace):
        assert (workspace.rewards / ".lock").exists()
        assert not workspace.scratch.exists()
