"""The page of all periods for finance: what is owed, month by month, and which payments the bank still has.

Computes no amount: `tribute.rewards.statements` reads them.
"""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tribute import formatting
from tribute.artifacts import read_artifact
from tribute.errors import RewardError
from tribute.files import write_atomically
from tribute.html import template
from tribute.rewards import close
from tribute.rewards.statements import IN_FLIGHT, PAID, RETURNED, Books, Payment, PeriodSums, read_books
from tribute.workspace import Workspace

ACCOUNTS = (
    ("Accrued", "accrued", "open to dispute"),
    ("Held", "held", "held back or in dispute"),
    ("Payable", "payable", "paid from the threshold on"),
    ("Claim", "claims", "paid too much, deducted later"),
    ("Liabilities:Reserve", "reserve", "for corrections"),
    ("Liabilities:Tax", "tax withheld", "to be remitted"),
)
"""Account, its name on the page, and what it means."""
DATASETS = "Liabilities:Datasets:"
"""Before a dataset's name: the account of what its payers paid and no period has paid out."""


def write_periods(workspace: Workspace, out: Path, today: str) -> Path:
    """Write the page to `out`, which is returned; payments are late as of `today`, YYYY-MM-DD.

    Raises RewardError where there is no period yet.
    """
    books = read_books(workspace)
    if not books:
        raise RewardError(f"there is no period in {workspace.rewards}; `tribute reward CONFIG` drafts the first")
    page = template(
        __package__, "periods.html", money=formatting.money, amount=formatting.amount, day=formatting.day
    ).render(
        books=[_section(account, today) for account in books],
        month=formatting.month,
        signers={period.period: _signers(workspace, period) for period in books[0].periods},
        today=today,
        reports=_reports(workspace, out.resolve().parent),
    )
    write_atomically(out, page.encode())
    return out


def _deferred(books: Books) -> list[tuple[str, int, str]]:
    """What is owed to datasets that no period has paid yet, as lines of the page."""
    owed = {account.removeprefix(DATASETS): minor for account, minor in books.standing.items() if DATASETS in account}
    return [(f"use of {name}", minor, "paid with its next period") for name, minor in sorted(owed.items()) if minor]


def _section(books: Books, today: str) -> dict[str, Any]:
    """One currency; unsettled payments come first, the longest overdue at the top."""
    payments = sorted(books.payments, key=lambda payment: (payment.state == PAID, payment.value_date, payment.period))
    return {
        "books": books,
        "accounts": [
            *((name, books.standing.get(account, 0), note) for account, name, note in ACCOUNTS),
            *_deferred(books),
        ],
        "payments": [{"payment": payment, "late": _days_late(payment, today)} for payment in payments],
        "in_flight": _total(books.payments, IN_FLIGHT),
        "returned": _total(books.payments, RETURNED),
        "draft": None if books.periods[-1].closed else books.periods[-1],
    }


def _signers(workspace: Workspace, period: PeriodSums) -> list[str]:
    """Who closed a period, or approved its draft as it is."""
    folder = workspace.rewards / period.period
    if period.closed:
        return close.signers(folder)
    return [approval.signer for approval in close.approvals(workspace.rewards, read_artifact(folder))]


def _total(payments: Sequence[Payment], state: str) -> tuple[int, int]:
    """How many payments, and how many minor units."""
    chosen = [payment.minor for payment in payments if payment.state == state]
    return len(chosen), sum(chosen)


def _days_late(payment: Payment, today: str) -> int:
    if payment.state != IN_FLIGHT:
        return 0
    return max(0, (date.fromisoformat(today) - date.fromisoformat(payment.value_date)).days)


def _reports(workspace: Workspace, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Period → (run, link from the page's folder) of each report."""
    reports: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(workspace.reports.glob("*/*.html")):
        link = Path(os.path.relpath(path, folder)).as_posix()
        reports.setdefault(path.parent.name, []).append((path.stem, link))
    return reports
