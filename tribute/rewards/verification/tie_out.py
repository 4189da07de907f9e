"""Many closed periods in a row: what came in, went out and is owed, month by month, and whether all of it ties out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tribute.errors import IntegrityError
from tribute.formatting import money
from tribute.rewards.ledger import accounts, journal, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.tables import Balance
from tribute.workspace import Workspace

MOVES = ("accrued", "adjusted", "withheld", "paid", "released", "held")


@dataclass(frozen=True)
class Month:
    """One closed period in one currency; minor units, sums over all contributors."""

    period: str
    currency: str
    fee: int
    rule: str
    rows: int
    contributors: int
    """How many were paid something."""
    moves: dict[str, int]
    """The columns of balances.csv, summed."""
    standing: dict[str, int]
    """Accrued, Held, Payable and Claim, and the other accounts by name, at the end of the month."""
    earned: dict[str, int]
    """Contributor → what it accrued in this month."""


@dataclass(frozen=True)
class History:
    """Closed periods of one currency, earliest first, and the sentences that say what was found to tie out."""

    currency: str
    months: tuple[Month, ...]
    ties: tuple[str, ...] = field(default=())


def history(workspace: Workspace, currency: str) -> History:
    """All closed periods. Raises IntegrityError naming the first file that does not tie out."""
    books = ledger.load(workspace)
    months = tuple(_month(workspace.rewards / period, books, currency) for period in books.closed)
    return History(currency, months, tuple(_check(workspace.rewards, books, currency)))


def _month(folder: Path, books: Ledger, currency: str) -> Month:
    read = PeriodFolder(folder)
    lines = [row for row in read.allocation if row.currency == currency]
    balances = _balances(read, currency).values()
    earned = Counter[str]()
    for line in lines:
        earned[line.contributor_id] += line.amount_minor
    standing = Counter[str]()
    until = (posting for posting in books.postings if posting.period <= folder.name and posting.currency == currency)
    for (account, _), amount in journal.account_balances(until).items():
        standing[accounts.stage(account) or account] += amount
    return Month(
        folder.name,
        currency,
        sum(funding.net for funding in read.fundings if funding.currency == currency),
        read.verdict.words if lines else "",
        sum({line.contributor_id: line.rows_canonical for line in lines}.values()),
        sum(amount > 0 for amount in earned.values()),
        {name: sum(getattr(row, name) for row in balances) for name in ("opening", *MOVES, "closing")},
        dict(standing),
        dict(earned),
    )


def _check(rewards: Path, books: Ledger, currency: str) -> list[str]:
    """Every line adds up, every month opens as the one before closed, and the last one is what the ledger says."""
    before: dict[str, int] = {}
    for period in books.closed:
        path = rewards / period / "balances.csv"
        rows = _balances(PeriodFolder(rewards / period), currency)
        for name, row in rows.items():
            if not row.adds_up:
                raise IntegrityError(
                    f"{path}: {name} does not add up to its closing balance of {money(row.closing, currency)}"
                )
            if row.opening != before.get(name, 0):
                raise IntegrityError(
                    f"{path}: {name} opens with {money(row.opening, currency)}, the month before closed with "
                    f"{money(before.get(name, 0), currency)}"
                )
        if lost := sorted(name for name, owed in before.items() if owed and name not in rows):
            raise IntegrityError(f"{path}: no line for {lost[0]}, who is owed {money(before[lost[0]], currency)}")
        before = {name: row.closing for name, row in rows.items()}
    _check_ledger(rewards, books, before, currency)
    owed = f"{money(sum(before.values()), currency)}"
    return [
        f"in each of {len(books.closed)} balances.csv every line adds up, and opens as it closed the month before",
        f"what is owed at the end, {owed}, is what the ledger says of each of {len(before)} people",
        "all debits and credits of the ledger cancel out",
    ]


def _check_ledger(rewards: Path, books: Ledger, closing: dict[str, int], currency: str) -> None:
    last = books.closed[-1] if books.closed else ""
    owed: Counter[str] = Counter()
    total = 0
    for posting in books.postings:
        if posting.period <= last and posting.currency == currency:
            total += posting.amount
            if accounts.stage(posting.account):
                owed[posting.contributor_id] += posting.credit
    if total:
        raise IntegrityError(f"{rewards / 'journal'}: debits and credits differ by {money(total, currency)}")
    for name in sorted(owed.keys() | closing.keys()):
        if owed[name] != closing.get(name, 0):
            path, said = rewards / last / "balances.csv", closing.get(name, 0)
            raise IntegrityError(
                f"{path}: {name} is owed {money(said, currency)}, the ledger says {money(owed[name], currency)}"
            )


def _balances(read: PeriodFolder, currency: str) -> dict[str, Balance]:
    return {balance.contributor_id: balance for balance in read.balances if balance.currency == currency}


def totals(months: Sequence[Month]) -> dict[str, int]:
    """Contributor → what it accrued over all months, the most first."""
    found = Counter[str]()
    for month in months:
        found.update(month.earned)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
