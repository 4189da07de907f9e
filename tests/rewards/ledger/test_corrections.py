"""Theorem: a closed period never changes; what was wrong in it is put right by new, linked entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import closed, empty, proved
from tests.rewards.ledger.test_postings import NAMES, stages
from tribute.errors import RewardError
from tribute.rewards.ledger import accounts, balances, corrections, journal, ledger
from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import move

DAY = "2026-12-05"


def accrual(books, name, period="2026-11"):
    return books.find(f"{period}/ACCRUE/evaluation/EUR/{name}")[0].entry_id


def cause(books, name="a", reason="evaluation was wrong", day=DAY, period="2026-11"):
    return Cause(name, "EUR", accrual(books, name, period), reason, day)


def payment(name, amount, day="2027-01-02"):
    about = {"posted_at": day, "currency": "EUR", "contributor_id": name, "idempotency_key": f"PAY/{name}/{day}"}
    return [move("PAY", amount, accounts.payable(name), accounts.BANK, **about)]


def claim(books, name="a"):
    return -books.balance(accounts.claim(name), "EUR")


@pytest.fixture
def books():
    """One closed period: a has 800 accrued and 200 held, the reserve has some."""
    return closed(empty(), "2026-11", {"a": 1000, "b": 1000})


def test_a_correction_in_favour_is_paid_by_the_reserve(books):
    """ADJUST is linked to the closed entry, and the missing reserve is topped up first."""
    before = books.balance(accounts.RESERVE, "EUR")

    after = books.with_entries(corrections.adjusted(books, cause(books), before + 70))

    assert [row.event for row in after.postings[len(books.postings) :: 2]] == ["RESERVE", "ADJUST"]
    assert after.postings[-1].ref == accrual(books, "a")
    assert stages(after, "a") == (800 + before + 70, 200, 0)
    assert after.balance(accounts.RESERVE, "EUR") == 0


def test_a_correction_against_takes_what_is_accrued(books):
    """ADJUST against never touches held or payable money; where accrued is not enough it says what to do."""
    after = books.with_entries(corrections.adjusted(books, cause(books), -300))

    assert stages(after, "a") == (500, 200, 0)
    with pytest.raises(RewardError, match=r"a has 0.01 EUR too little accrued.*claw-back"):
        corrections.adjusted(after, cause(after, reason="again"), -501)


def test_a_claw_back_takes_held_then_accrued_then_claims(books):
    """What held and accrued money does not cover is a claim that the next accruals net."""
    second = closed(books, "2026-12", {"a": 500})
    paid = second.with_entries(payment("a", 800))

    after = paid.with_entries(corrections.clawed_back(paid, cause(paid, day="2027-01-05"), 1000))
    after = after.with_entries(corrections.clawed_back(after, cause(after, day="2027-01-05", period="2026-12"), 500))
    later = closed(after, "2027-01", {"a": 650})
    last = closed(later, "2027-02", {"a": 1000})

    assert (stages(paid, "a"), stages(after, "a"), claim(after)) == ((400, 300, 0), (0, 0, 0), 800)
    assert (stages(later, "a"), claim(later)) == ((0, 0, 0), 150)
    assert (stages(last, "a"), claim(last)) == ((680, 170, 0), 0)


def test_a_claw_back_never_touches_what_is_payable(books):
    """Payable money is promised: it stays, and all of the claw-back waits for later accruals."""
    second = closed(books, "2026-12", {"b": 10})

    after = second.with_entries(corrections.clawed_back(second, cause(second, day="2027-01-05"), 900))

    assert (stages(second, "a"), stages(after, "a")) == ((0, 200, 800), (0, 0, 800))
    assert claim(after) == 700


@proved
@given(st.lists(st.tuples(st.sampled_from(["claw back", "correct", "reverse"]), st.integers(-1200, 1200))))
def test_no_more_is_taken_back_than_an_entry_has_left(steps):
    """Corrections, claw-backs and their reversals in any order: what is left is what was accrued and added, less all
    that was taken; a unit more is refused, and exactly that much is not."""
    books, left = closed(empty(), "2026-11", {"a": 1000, "b": 1000}), 1000
    for number, (step, amount) in enumerate(steps):
        why = cause(books, reason=f"reason {number}")
        try:
            if step == "reverse":
                last = books.postings[-1]
                if last.period != "2026-12" or last.event not in ("ADJUST", "CLAWBACK"):
                    continue
                entries = corrections.reversed_entry(books, last.entry_id, "slip", DAY, {})
                left -= sum(line for account, line in entries[0].lines if account != accounts.RESERVE) if entries else 0
            elif step == "correct":
                entries = corrections.adjusted(books, why, amount)
                left += amount
            else:
                entries = corrections.clawed_back(books, why, abs(amount) or 1)
                left -= abs(amount) or 1
        except RewardError:
            continue
        books = books.with_entries(entries)

    assert left >= 0
    with pytest.raises(RewardError, match="has left to take back"):
        corrections.clawed_back(books, cause(books, reason="all"), left + 1)
    if left:
        assert corrections.clawed_back(books, cause(books, reason="all"), left)


def test_only_what_was_accrued_can_be_taken_back(books):
    """By a payment or a fund nothing was accrued; by a holdback it is what its accrual has."""
    held = books.find("2026-11/HOLD/evaluation/EUR/a")[0].entry_id
    paid = closed(books, "2026-12", {"b": 10}).with_entries(payment("a", 800))
    pay = paid.postings[-1].entry_id

    assert corrections.clawed_back(books, Cause("a", "EUR", held, "copied", DAY), 1000)
    with pytest.raises(RewardError, match=r"10\.01 EUR is more than the 10\.00 EUR that .* has left"):
        corrections.clawed_back(books, Cause("a", "EUR", held, "copied", DAY), 1001)
    with pytest.raises(RewardError, match=r"0\.01 EUR is more than the 0\.00 EUR that"):
        corrections.clawed_back(paid, Cause("a", "EUR", pay, "copied", "2027-01-05"), 1)


def test_the_same_correction_twice_is_one(books):
    """The same command again, on another day too, posts nothing; another reason is another correction."""
    for correct in (corrections.adjusted, corrections.clawed_back):
        once = books.with_entries(correct(books, cause(books), 100))

        assert correct(once, cause(once, day="2026-12-09"), 100) == []
        assert correct(once, cause(once, reason="another"), 100)


def test_an_entry_is_reversed_once(books):
    """REVERSE mirrors every line and is linked; again it posts nothing."""
    held = books.find("2026-11/HOLD/evaluation/EUR/a")[0].entry_id

    after = books.with_entries(corrections.reversed_entry(books, held, "not held any more", DAY, {}))

    assert stages(after, "a") == (1000, 0, 0)
    assert after.postings[-1].ref == held
    assert corrections.reversed_entry(after, held, "not held any more", DAY, {}) == []


def test_an_accrual_whose_money_has_gone_on_cannot_be_reversed(books):
    """Its mirror would take what other accruals brought, so nothing is posted."""
    second = closed(books, "2026-12", {"a": 5000})
    entry = corrections.reversed_entry(second, accrual(books, "a"), "slip", "2027-01-05", {})

    with pytest.raises(RewardError, match=f"entry {accrual(books, 'a')} would be overdrawn by 10.00 EUR"):
        second.with_entries(entry)


def test_a_reversed_accrual_goes_to_the_reserve(books):
    """The pool of a closed period stays empty."""
    free = books.with_entries(
        corrections.reversed_entry(books, books.find("2026-11/HOLD/evaluation/EUR/a")[0].entry_id, "slip", DAY, {})
    )

    after = free.with_entries(corrections.reversed_entry(free, accrual(books, "a"), "slip", DAY, {}))

    assert stages(after, "a") == (0, 0, 0)
    assert after.balance(accounts.POOL, "EUR") == 0
    assert after.balance(accounts.RESERVE, "EUR") == books.balance(accounts.RESERVE, "EUR") + 1000


def test_a_payment_is_undone_by_the_bank_alone(books):
    """PAY is what the bank did; only its answer takes it back, and the tax that was withheld with it."""
    second = closed(books, "2026-12", {"b": 10})
    about = {"posted_at": "2027-01-02", "currency": "EUR", "contributor_id": "a"}
    key, payable = "2026-12/PAY/EUR/a", accounts.payable("a")
    paid = second.with_entries(
        [
            move("WITHHOLD", 100, payable, accounts.TAX, idempotency_key=f"{key}/withhold", **about),
            move("PAY", 700, payable, accounts.BANK, idempotency_key=key, **about),
        ]
    )

    for entry_id, event in (("2027-01-000001", "WITHHOLD"), ("2027-01-000002", "PAY")):
        with pytest.raises(RewardError, match=f"{entry_id} is a {event}; only the bank's answer undoes it"):
            corrections.reversed_entry(paid, entry_id, "slip", "2027-01-05", {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ref": "2026-11-000099"}, "there is no entry 2026-11-000099"),
        ({"currency": "JPY"}, "is an entry of a in EUR, found a and JPY"),
        ({"contributor_id": "b"}, "is an entry of a in EUR, found b and EUR"),
    ],
)
def test_a_correction_goes_back_to_an_entry_of_theirs(books, change, said):
    """A correction without a cause in the ledger is refused."""
    one = cause(books)
    wrong = Cause(**(vars(one) | change))

    for correct in (corrections.adjusted, corrections.clawed_back):
        with pytest.raises(RewardError, match=said):
            correct(books, wrong, 5)


@pytest.mark.parametrize("name", ["../../../evil", "nunpy"])
def test_a_correction_by_a_fund_needs_a_line_of_that_period(two_closed, name):
    """Who has a line that accrued nothing may be corrected by it; a stranger, or a slip, becomes no payee."""
    books = ledger.load(two_closed.workspace)
    fund = books.find("2026-11/FUND/EUR")[0].entry_id

    made = corrections.adjusted(books, Cause("copycat", "EUR", fund, "counted late", DAY), 5)

    assert dict(made[-1].lines)[accounts.accrued("copycat")] == -5
    for correct in (corrections.adjusted, corrections.clawed_back):
        with pytest.raises(RewardError, match=r"2026-11/allocation\.csv has no line of .* in EUR"):
            correct(books, Cause(name, "EUR", fund, "counted late", DAY), 5)


def test_an_entry_without_an_owner_corrects_nothing(books):
    """Only a FUND stands for a whole period; a top-up of the reserve belongs to nobody."""
    topped = books.with_entries(corrections.adjusted(books, cause(books), 10**6))
    reserve = next(row for row in reversed(topped.postings) if row.event == "RESERVE").entry_id

    with pytest.raises(RewardError, match="is an entry of nobody in EUR, found a and EUR"):
        corrections.adjusted(topped, Cause("a", "EUR", reserve, "counted late", DAY), 5)


@pytest.mark.parametrize("stage", ["accrued", "held", "payable", "claim"])
@pytest.mark.parametrize("name", ["", "../evil", "a:Held", "A", "a\n"])
def test_only_ids_have_accounts(stage, name):
    """An id in the ledger becomes a file's name and a payee."""
    with pytest.raises(RewardError, match="expected 1 to 40 lower-case letters"):
        getattr(accounts, stage)(name)


def test_money_in_dispute_is_held_until_it_is_settled(books):
    """What a dispute holds does not become payable by time; settled, it is accrued again and then payable."""
    held = books.with_entries(corrections.disputed(books, cause(books, reason="dispute:1"), 300))
    [entry] = [row.entry_id for row in held.postings[-2:-1]]
    later = closed(held, "2026-12", {"b": 10})
    back = later.with_entries(corrections.settled(later, [entry], "dispute:1", "2027-01-05"))
    last = closed(back, "2027-01", {"b": 10})

    assert stages(held, "a") == (500, 500, 0)
    assert stages(later, "a") == (0, 500, 500)
    assert stages(back, "a") == (300, 200, 500)
    assert stages(last, "a") == (0, 0, 1000)
    assert corrections.settled(back, [entry], "dispute:1", "2027-01-05") == []


def test_no_more_is_held_than_is_accrued(books):
    """A dispute about more than is left holds what is left."""
    assert corrections.disputed(books, cause(books), 10**6)[0].lines[0][1] == 800


def test_only_a_hold_is_settled(books):
    """Settling another entry is refused by name."""
    with pytest.raises(RewardError, match="2026-11-000001 is no HOLD"):
        corrections.settled(books, ["2026-11-000001"], "r", DAY)


@proved
@given(st.integers(-900, 900).filter(bool), st.integers(1, 600), st.booleans())
def test_corrections_leave_the_closed_lines_and_make_the_balances(amount, back, reverse):
    """Reversal leaves closed hashes intact, as do corrections; `adjusted` is what they changed of what is owed."""
    books = closed(empty(), "2026-11", {"a": 1500, "b": 100})
    before = list(books.postings)

    after = books.with_entries(corrections.adjusted(books, cause(books), amount))
    after = after.with_entries(corrections.clawed_back(after, cause(after, day="2026-12-06"), back))
    if reverse:
        clawed = after.postings[-1].entry_id
        after = after.with_entries(corrections.reversed_entry(after, clawed, "slip", "2026-12-07", {}))

    assert after.postings[: len(before)] == before
    assert journal.faults(after.postings) == []
    undone = sum(max(row.amount, 0) for row in after.postings if row.event == "REVERSE")
    owed = {row.contributor_id: row for row in balances.balance_rows(after, "2026-12", NAMES)}
    undone = undone if reverse else 0
    assert owed["a"].adjusted == amount - back + undone
    assert owed["a"].closing == 1500 + amount - back + undone
    assert owed["a"].closing == sum(stages(after, "a")) - claim(after)
