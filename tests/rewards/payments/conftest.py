"""What the tests of payments share: two closed months, December's payables, and what a bank answers about them."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.terminal import tribute
from tribute.ids import parse_payee_ref
from tribute.money import format_amount
from tribute.rewards import tables
from tribute.rewards.bank_formats import pain001
from tribute.rewards.ledger import accounts, ledger

DAY = "2027-01-05"


class Bank:
    """A workspace whose December was handed to the bank; `rows` are its payables, `ids` and `amounts` of them."""

    def __init__(self, house, folder):
        self.house, self.folder, self.count = house, folder, 0
        self.rows = tables.read_csv(house.workspace.rewards / "2026-12" / "payables.csv", tables.PAYABLES)
        self.ids = [row["end_to_end_id"] for row in self.rows]
        self.amounts = [format_amount(int(row["amount_minor"]), "EUR") for row in self.rows]
        self.total = self.sum_of(self.rows)
        self.message = pain001.message_id(self.rows, "2026-12")
        self.batch = f"{self.message}-1"

    @staticmethod
    def sum_of(rows):
        return format_amount(sum(int(row["amount_minor"]) for row in rows), "EUR")

    def run(self, *arguments):
        return tribute("pay", *arguments, "--date", DAY, "-w", self.house.root)

    def file(self, content):
        """A file of the bank's."""
        self.count += 1
        path = self.folder / f"answer-{self.count}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def answer(self, content):
        """Take a file in; returns how many lines have which outcome."""
        ended = self.run("reconcile", self.file(content), "--json")
        assert ended.code == 0, ended.err
        self.last = SimpleNamespace(**ended.data)
        return ended.data["outcomes"]

    def lines(self):
        """recon.csv of the last file, by end-to-end id."""
        return {line["end_to_end_id"]: line for line in tables.read_csv(Path(self.last.recon), tables.RECON)}

    def state(self):
        """What the ledger says was paid from the bank, and what is payable of December's first payment."""
        name = parse_payee_ref(self.rows[0]["payee_ref"])
        return self.house.balance(accounts.BANK), self.house.balance(accounts.payable(name))

    def events(self):
        """What was posted in January, entry by entry."""
        postings = [one for one in ledger.load(self.house.workspace).postings if one.period == "2027-01"]
        return [event for _, event in sorted({(one.entry_id, one.event) for one in postings})]

    def shifted(self, minor, place=0):
        """A payment's amount, more or less by minor units."""
        return format_amount(int(self.rows[place]["amount_minor"]) + minor, "EUR")


@pytest.fixture
def bank(closed_house, tmp_path) -> Bank:
    """A bank that was told to pay December."""
    (tmp_path / "answers").mkdir()
    return Bank(closed_house, tmp_path / "answers")
