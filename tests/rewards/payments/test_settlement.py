"""Theorem: whatever a bank's answer left open, a person can settle it, once, and the ledger says who decided why."""

import re

import pytest

from tests.helpers.terminal import tree
from tests.rewards.helpers import banks, people
from tests.rewards.helpers.people import make_house
from tests.rewards.payments.conftest import DAY, Bank
from tribute.report.year_page import write_year
from tribute.rewards import correct
from tribute.rewards.ledger import Cause, ledger
from tribute.rewards.verification import history

WHO = ("--by", "anna", "--why", "The bank kept 3.70")


@pytest.mark.parametrize(
    ("amount", "events", "bank_moves", "left"),
    [
        ((), ["PAY"], 0, 0),
        ((370,), ["PAY", "FEE"], 370, 0),
        ((-370,), ["PAY"], -370, 370),
    ],
)
def test_a_payment_whose_amount_differs_is_settled(bank, amount, events, bank_moves, left):
    """More than was ordered is a fee; of what fell short the rest is payable again."""
    ordered, before = int(bank.rows[0]["amount_minor"]), bank.state()[1]
    given = ("--amount", bank.shifted(*amount)) if amount else ()

    rehearsed = bank.run("settle", bank.ids[0], "paid", *given, *WHO, "--dry-run")
    untouched = bank.events()
    ended = bank.run("settle", bank.rows[0]["payment_id"], "paid", *given, *WHO)

    assert (rehearsed.code, untouched, ended.code) == (0, [], 0), ended.err
    assert bank.events() == events
    assert bank.state() == (ordered + bank_moves, before - ordered + left)
    reasons = {one.reason for one in ledger.load(bank.house.workspace).postings if one.period == "2027-01"}
    assert all("anna: The bank kept 3.70" in reason for reason in reasons)


def test_what_fell_short_is_paid_with_the_next_payables(bank):
    """The rest is in no payment that was handed over, so the next payables.csv has it, with what became due since."""
    untouched = bank.house.pay("2027-01").path / "payables.csv"
    name = bank.rows[0]["payee_ref"]
    before = amounts(untouched).get(name, 0)

    bank.run("settle", bank.ids[0], "paid", "--amount", bank.shifted(-370), *WHO)

    assert amounts(bank.house.pay("2027-01").path / "payables.csv")[name] == before + 370


def amounts(path):
    from tribute.rewards import tables

    return {row["payee_ref"]: int(row["amount_minor"]) for row in tables.read_csv(path, tables.PAYABLES)}


def test_a_return_less_a_fee_is_settled(bank):
    """The payee's money is payable again as a whole, and what is missing is the bank's fee."""
    before = bank.state()
    entry = banks.entry(bank.shifted(-370), banks.detail(bank.ids[0], bank.shifted(-370)), sign="CRDT")
    bank.answer(banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]))))
    assert bank.answer(banks.account(entry, message="CAMT-2")) == {"amount_differs": 1}

    ended = bank.run("settle", bank.ids[0], "returned", "--amount", bank.shifted(-370), *WHO)

    assert ended.code == 0, ended.err
    assert "FEE 3.70 EUR posted" in ended.out
    assert bank.state() == (370, before[1])
    assert bank.events() == ["PAY", "RETURN", "FEE"]


def test_a_rejection_after_a_payment_is_settled_by_a_person(bank):
    """Then the money is payable again; a later statement that has the payment after all posts it once more."""
    before = bank.state()
    booked = banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0])))
    bank.answer(banks.report((bank.ids[0], "ACSC", "")))
    bank.answer(banks.report((bank.ids[0], "RJCT", "AC01"), message="PAIN-2"))

    assert bank.run("settle", bank.ids[0], "rejected", *WHO).code == 0
    assert bank.state() == before
    assert bank.answer(booked) == {"paid_after_return": 1}
    assert bank.state()[0] == int(bank.rows[0]["amount_minor"])


def test_a_payment_that_was_never_answered_is_settled_as_rejected(bank):
    """It is in flight no longer."""
    before = bank.state()

    assert bank.run("settle", bank.ids[0], "rejected", *WHO).code == 0
    assert bank.state() == before
    assert bank.events() == ["PAY", "RETURN"]


@pytest.mark.parametrize(
    ("first", "arguments", "said"),
    [
        ((), ("none", "paid"), "'none' is no payment that a closed period handed over"),
        ((), ("0", "returned"), "is not recorded as paid, so nothing can come back"),
        ((), ("0", "rejected", "--amount", "1.00"), "what was rejected moved no money"),
        ((), ("0", "paid", "--amount", "1,00"), "amount '1,00' is not a plain positive decimal"),
        (("paid",), ("0", "paid"), "is recorded as paid"),
        (("paid",), ("0", "paid", "--amount", "0.01"), "is recorded as paid"),
        (("paid",), ("0", "returned", "--amount", "99999.00"), "99,999.00 EUR came back of"),
        (("rejected",), ("0", "rejected"), "is payable again already"),
        (("rejected",), ("0", "returned"), "is not recorded as paid"),
        (("rejected", "paid", "returned"), ("0", "paid"), "came back and a later payables.csv has its money"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bank, first, arguments, said):
    """Nothing is posted a second time, and nothing that the ledger contradicts."""
    for outcome in first:
        assert bank.run("settle", bank.ids[0], outcome, *WHO).code == 0
    before = bank.events()

    ended = bank.run("settle", *(bank.ids[0] if part == "0" else part for part in arguments), *WHO)

    assert ended.code == 2
    assert said in ended.err
    assert bank.events() == before


def test_a_refusal_is_settled_as_paid_while_its_money_is_there(bank):
    """Once a later payables.csv includes the money again, that payment is the one to settle."""
    bank.run("settle", bank.ids[0], "rejected", *WHO)
    bank.house.close("2027-01")

    ended = bank.run("settle", bank.ids[0], "paid", *WHO, "--date", "2027-02-05")

    assert ended.code == 2
    assert "came back and a later payables.csv has its money" in ended.err


@pytest.fixture
def strict(tmp_path, monkeypatch) -> Bank:
    """A bank whose payer's policy lets one person settle up to 1.00 EUR."""
    monkeypatch.setattr(people, "POLICY", people.POLICY + 'second_name_above: {EUR: "1.00"}\n')
    house = make_house(tmp_path / "workspace")
    for period in ("2026-11", "2026-12"):
        house.close(period)
    return Bank(house, tmp_path)


@pytest.mark.parametrize("outcome", ["paid", "rejected"])
def test_above_the_policys_amount_two_closers_settle(strict, outcome):
    """Unsigned nothing happens; the first closer signs and nothing is posted; the second one's command posts it."""
    command, before = ("settle", strict.ids[0], outcome, *WHO), tree(strict.house.workspace.rewards)

    asked = strict.run(*command)
    untouched = tree(strict.house.workspace.rewards) == before
    stranger = strict.run(*command, "--as", "rita", "--key", strict.house.root / "keys" / "rita")
    first = strict.run(*command, "--as", "anna", "--key", strict.house.root / "keys" / "anna")
    between = strict.events()
    second = strict.run(*command, "--as", "ben", "--key", strict.house.root / "keys" / "ben", "--json")

    assert (asked.code, untouched) == (2, True)
    assert f"{strict.amounts[0]} EUR in 2027-01 is above the 1.00 EUR that the policy lets one person post" in asked.err
    assert "rita is not among the policy's closers" in stranger.err
    assert "signed by anna; another closer has to give the same command" in first.out
    assert (between, second.code) == ([], 0)
    assert second.data["signed"] == ["anna", "ben"]
    assert second.data["posted_entries"] == strict.events() != []


def test_the_year_page_has_a_word_for_each_event(bank, tmp_path):
    """A bank's charge has a name, and what a contributor is owed less after is below zero."""
    bank.run("settle", bank.ids[0], "paid", "--amount", bank.shifted(370), *WHO)
    house = bank.house
    [accrued] = {row.entry_id for row in ledger.load(house.workspace).find("2026-12/ACCRUE/evaluation/EUR/numpy")}
    correct.claw_back(house.workspace, Cause("numpy", "EUR", accrued, "copies", DAY), 250)

    page = write_year(house.workspace, history(house.workspace, "EUR"), tmp_path / "year.html").read_text()
    rows = [re.sub(r"<[^>]+>", " ", row) for row in re.findall("<tr>.*?</tr>", page, re.DOTALL)]

    [charge] = [row for row in rows if "bank charge" in row]
    [taken] = [row for row in rows if "claw-back" in row]
    assert "3.70" in charge
    assert "−2.50" in taken
