"""Theorem: the page of all periods says what their balances and payables say, and what the bank did."""

import html
import re

import pytest

from tests.rewards.helpers.people import House
from tribute.cli import main
from tribute.formatting import amount, money
from tribute.report.periods_page import write_periods
from tribute.rewards.ledger import ledger
from tribute.rewards.ledger.balances import handed_over
from tribute.rewards.ledger.entries import move
from tribute.rewards.ledger.journal import mirror
from tribute.rewards.period.read import read_rewards
from tribute.rewards.statements.periods import IN_FLIGHT, PAID, RETURNED, read_books
from tribute.workspace import Workspace


def text(page: str) -> str:
    """A page's words, without markup."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("</style>", 1)[1])))


def pay(house: House) -> None:
    """The bank pays the first payment and sends the second back."""
    with ledger.writing(house.workspace) as books:
        first, second = handed_over(house.workspace.rewards, books)[:2]
        for row in (first, second):
            name = row["payee_ref"].removeprefix("payee:")
            key = row["idempotency_key"]
            about = {"posted_at": "2027-01-04", "currency": "EUR", "contributor_id": name}
            payable = f"Liabilities:Contributor:{name}:Payable"
            books.post([move("PAY", int(row["amount_minor"]), payable, "Assets:Bank", idempotency_key=key, **about)])
        paid = books.find(second["idempotency_key"])
        returned = mirror("RETURN", paid, posted_at="2027-01-05", key=f"RETURN/{paid[0].entry_id}", reason_code="AC04")
        books.post([returned])


def test_the_sums_are_those_of_the_periods(closed_house):
    """Each period's accruals are its allocation's, and what it opens with is what the one before closed with."""
    [books] = read_books(closed_house.workspace)

    november, december = books.periods
    for period in books.periods:
        paid = read_rewards(closed_house.workspace.rewards / period.period)
        assert period.moves["accrued"] == paid["amount_minor"].sum()
        assert period.payees == (paid["amount_minor"] > 0).sum()
        assert period.closed
    assert december.moves["opening"] == november.moves["closing"]


def test_a_payment_is_in_flight_until_the_bank_says_what_became_of_it(closed_house):
    """Handed over, paid and returned are told apart, each with its day."""
    before = {payment.state for payment in read_books(closed_house.workspace)[0].payments}
    pay(closed_house)
    first, second, *others = read_books(closed_house.workspace)[0].payments

    assert before == {IN_FLIGHT}
    assert (first.state, first.day) == (PAID, "2027-01-04")
    assert (second.state, second.day) == (RETURNED, "2027-01-05")
    assert {payment.state for payment in others} == {IN_FLIGHT}


def test_the_page_names_signers_and_late_payments(closed_house, tmp_path):
    """Who closed a period stands beside it, and how many days a payment is past its value date."""
    page = text(
        write_periods(closed_house.workspace, tmp_path / "periods.html", "2027-01-11").read_text(encoding="utf-8")
    )
    [books] = read_books(closed_house.workspace)

    assert "closed by anna and ben" in page
    assert "in flight, 10 days past the value date" in page
    assert f"{money(books.periods[-1].moves['closing'], 'EUR')} owed on 11 January 2027" in page
    assert "0.00 EUR have been paid out" in page
    assert all(amount(payment.minor, "EUR") in page for payment in books.payments)


def test_what_the_bank_did_since_the_last_close_counts(closed_house, tmp_path):
    """Paid and owed are as of today; what was returned is owed again; a draft is named and adds nothing yet."""
    pay(closed_house)
    closed_house.pay("2027-01")
    [books] = read_books(closed_house.workspace)
    first = books.payments[0].minor

    page = text(write_periods(closed_house.workspace, tmp_path / "page.html", "2027-01-11").read_text(encoding="utf-8"))

    assert (books.paid, books.owed) == (first, books.periods[1].moves["closing"] - first)
    assert f"{money(books.owed, 'EUR')} owed on 11 January 2027" in page
    assert f"{money(first, 'EUR')} have been paid out" in page
    assert f"The draft of January 2027 would add {money(books.periods[-1].moves['accrued'], 'EUR')}." in page


def test_the_command_writes_the_page(closed_house, tmp_path, capsys):
    """`tribute period status --html` names the file."""
    out = tmp_path / "periods.html"

    with pytest.raises(SystemExit) as ended:
        main(["period", "status", "--html", str(out), "-w", str(closed_house.root)])

    assert ended.value.code == 0
    assert f"page: {out}" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "December 2026" in out.read_text(encoding="utf-8")


def test_each_contributor_has_an_index_of_months(closed_house):
    """The index lists every period, open or closed, adds up the earnings and links to the statements that are there."""
    from tribute.rewards.statements.statements import write_statements

    house = closed_house
    house.pay("2027-01")
    for period in ("2026-12", "2027-01"):
        write_statements(house.workspace, period, ["numpy"], house.words)
    page = (house.root / "statements" / "numpy.html").read_text(encoding="utf-8")
    earned = [
        int(read_rewards(house.workspace.rewards / period).set_index("contributor_id").loc["numpy"]["amount_minor"])
        for period in ("2026-11", "2026-12", "2027-01")
    ]

    assert re.findall(r'<a href="([^"]+)"', page) == ["2027-01/numpy.html", "2026-12/numpy.html"]
    assert f"You earned {money(sum(earned), 'EUR')} in 3 months." in text(page).replace("\u00a0", " ")
    assert all(money(minor, "EUR") in page for minor in earned)
    assert "The pale bar is a draft" in page
    assert text(page).count("paid by credit") == 2


def test_where_there_is_no_period_there_is_no_page(tmp_path):
    """One line says what makes the first period."""
    from tribute.errors import RewardError

    workspace = Workspace.create(tmp_path / "workspace")

    with pytest.raises(RewardError, match=r"there is no period in .*; `tribute reward CONFIG` drafts the first"):
        write_periods(workspace, tmp_path / "periods.html", "2027-01-11")
