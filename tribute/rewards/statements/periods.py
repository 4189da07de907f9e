"""All periods as finance sees them: what came in, what is owed, and which payments are on their way. Posts nothing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tribute import ids
from tribute.artifacts import read_artifact
from tribute.rewards.ledger import accounts, balances, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.statements.overview import Month, read_months
from tribute.workspace import Workspace

MOVES = ("opening", "accrued", "adjusted", "withheld", "paid", "closing")
IN_FLIGHT, PAID, RETURNED = "in flight", "paid", "returned"


@dataclass(frozen=True)
class PeriodSums:
    """One period in one currency; minor units, sums over all contributors."""

    period: str
    closed: bool
    rule: str
    fee: int
    """The net fee, less what is not for contributors."""
    moves: dict[str, int]
    """The columns of balances.csv, summed."""
    payees: int
    """How many contributors earned something."""


@dataclass(frozen=True)
class Payment:
    """One line of a closed period's payables.csv, and what the ledger says became of it."""

    period: str
    contributor_id: str
    minor: int
    withheld: int
    value_date: str
    end_to_end_id: str
    state: str
    """IN_FLIGHT, PAID or RETURNED."""
    day: str
    """When the bank paid or returned it; empty while it is in flight."""


@dataclass(frozen=True)
class Books:
    """All periods of one currency, earliest first."""

    currency: str
    periods: tuple[PeriodSums, ...]
    payments: tuple[Payment, ...]
    standing: dict[str, int]
    """Accrued, Held, Payable and Claim over all contributors, and the other accounts by name, as of now.

    In minor units, > 0 where more was credited; so a claim is below zero.
    """

    @property
    def owed(self) -> int:
        """What contributors are owed now, less claims, in minor units."""
        return sum(self.standing.get(name, 0) for name in ("Accrued", "Held", "Payable", "Claim"))

    @property
    def paid(self) -> int:
        """What the bank has paid to contributors and not returned until now, in minor units."""
        return self.standing.get(accounts.BANK, 0) + self.standing.get(accounts.BANK_FEES, 0)


def read_books(workspace: Workspace) -> list[Books]:
    """Every currency's books, by its code. Raises IntegrityError for a file that was changed since it was written."""
    with ledger.reading(workspace) as entries:
        months = read_months(workspace)
        currencies = {row["currency"] for month in months for rows in month.balances.values() for row in rows}
        returns = {posting.ref: posting.day for posting in entries.postings if posting.event == "RETURN"}
        payables = balances.handed_over(workspace.rewards, entries)
        return [
            Books(
                currency,
                tuple(_sums(workspace.rewards / month.period, month, currency) for month in months),
                tuple(_payment(entries, returns, row) for row in payables if row["currency"] == currency),
                _standing(entries, currency),
            )
            for currency in sorted(currencies)
        ]


def _sums(folder: Path, month: Month, currency: str) -> PeriodSums:
    config = read_artifact(folder).identity["config"]
    rows = [row for lines in month.balances.values() for row in lines if row["currency"] == currency]
    return PeriodSums(
        period=month.period,
        closed=month.closed,
        rule=month.rule,
        fee=sum(int(part["net_minor"]) for part in config["funding"] if part["currency"] == currency),
        moves={name: sum(int(row[name]) for row in rows) for name in MOVES},
        payees=sum(int(row["accrued"]) > 0 for row in rows),
    )


def _payment(entries: Ledger, returns: Mapping[str, str], row: Mapping[str, str]) -> Payment:
    """One payment; `returns` maps the entry of a PAY to the day on which the bank returned it."""
    period, contributor_id = ids.parse_statement_id(row["statement_id"])
    paid = entries.find(row["idempotency_key"])
    returned = returns.get(paid[0].entry_id, "") if paid else ""
    return Payment(
        period=period,
        contributor_id=contributor_id,
        minor=int(row["amount_minor"]),
        withheld=int(row["withheld_minor"]),
        value_date=row["value_date"],
        end_to_end_id=row["end_to_end_id"],
        state=RETURNED if returned else PAID if paid else IN_FLIGHT,
        day=returned or (paid[0].day if paid else ""),
    )


def _standing(entries: Ledger, currency: str) -> dict[str, int]:
    standing = Counter[str]()
    for (account, code), minor in entries.balances().items():
        if code == currency:
            standing[accounts.owner(account)[1] or account] += minor
    return dict(standing)
