"""Theorem: three months in a row are drafted, closed, paid by the bank's answer and verified, whatever the ids."""

import csv

import pytest

from tests.helpers.terminal import tribute
from tests.rewards.helpers.people import CLOSERS, House, make_house
from tribute import months
from tribute.money import format_amount
from tribute.rewards import tables
from tribute.rewards.bank_formats import CSV_COLUMNS
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.verification import history

PREFIXES = {
    "numpy": "python",
    "scipy": "python-dateutil",
    "pandas": "python_x",
    "networkx": "python1",
    "matplotlib": "python10",
    "sympy": "p",
}
PERIODS = ("2026-11", "2026-12", "2027-01")


@pytest.fixture
def house(tmp_path) -> House:
    """A simulation at its first day, whose contributors' ids are prefixes of each other."""
    return make_house(tmp_path / "workspace", PREFIXES, "2026-11-01")


def command(house: House, *words: object) -> str:
    ended = tribute(*words, "-w", house.root)
    assert ended.code == 0, ended.err
    return ended.out


def close(house: House, period: str) -> None:
    """As two people do on the first day of the next month, at which the simulation has arrived."""
    house.pay(period)
    command(house, "period", "clock", "--simulate", f"{months.next_period(period)}-01")
    for name in CLOSERS:
        command(house, "period", "close", period, "--as", name, "--key", house.root / "keys" / name)


def answer(house: House, period: str, path) -> int:
    """The bank pays all that a month's payables.csv hands over; returns how much, in minor units."""
    rows = tables.read_csv(house.workspace.rewards / period / "payables.csv", tables.PAYABLES)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for row in rows:
            amount = format_amount(int(row["amount_minor"]), row["currency"])
            writer.writerow((row["end_to_end_id"], row["currency"], amount, "paid", row["value_date"], ""))
    command(house, "period", "clock", "--simulate", f"{months.next_period(period)}-05")
    command(house, "pay", "reconcile", path)
    return sum(int(row["amount_minor"]) for row in rows)


def test_three_months_to_the_banks_answer(house: House, tmp_path):
    """Every month closes and verifies, everybody with a prefix id is paid, and all three tie out."""
    paid = 0
    for number, period in enumerate(PERIODS):
        close(house, period)
        if number:
            paid += answer(house, period, tmp_path / f"{period}.csv")
    for period in PERIODS:
        assert "closed, signed by anna and ben" in command(house, "verify", "period", period)

    books = ledger.load(house.workspace)
    payees = {posting.contributor_id for posting in books.postings if posting.event == "PAY"}
    assert payees == set(PREFIXES.values())
    assert books.balance(accounts.BANK, "EUR") == paid > 0
    assert [month.period for month in history(house.workspace, "EUR").months] == list(PERIODS)


def test_a_later_month_waits_for_its_day(house: House):
    """Under the simulation's clock a month closes no sooner than on its day."""
    house.pay("2026-11")
    words = ("period", "close", "2026-11", "--as", "anna", "--key", house.root / "keys" / "anna", "-w", house.root)

    assert "2026-11 is not over on 2026-11-01" in tribute(*words).err
    assert (
        "2026-12-01 has not come yet: the simulation has reached 2026-11-01"
        in tribute(*words, "--date", "2026-12-01").err
    )
