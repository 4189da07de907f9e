"""`statements/<id>.html`, the index of one contributor's months: earned, paid and owed, with a chart.

Computes no amount: every number is a line of some month's balances.csv. Like a statement it is self-contained; the
only links are to the statements beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute import formatting
from tribute.artifacts import MANIFEST, SEAL, check_files, read_artifact
from tribute.formatting import money
from tribute.html import template
from tribute.rewards import tables
from tribute.rewards.allocation.gate import read_verdict
from tribute.workspace import Workspace

READ = ("balances.csv", "gate.json")
TERMS = ("adjusted", "withheld", "paid")


@dataclass(frozen=True)
class Month:
    """One period of the workspace, open or closed."""

    period: str
    closed: bool
    rule: str
    """By which rule it was paid: `credit` or `tokens`."""
    balances: dict[str, list[dict[str, str]]]
    """Contributor → lines of balances.csv, one per currency."""


def periods(workspace: Workspace) -> list[str]:
    """The periods that have a folder, open or closed, earliest first."""
    return sorted(path.parent.name for path in workspace.rewards.glob(f"[0-9]*/{MANIFEST}"))


def read_months(workspace: Workspace) -> list[Month]:
    """Every period, earliest first. Raises IntegrityError for a file that was changed since it was written."""
    return [_month(workspace.rewards / period) for period in periods(workspace)]


def _month(folder: Path) -> Month:
    check_files(read_artifact(folder), lambda name: name in READ)
    balances: dict[str, list[dict[str, str]]] = {}
    for row in tables.read_csv(folder / "balances.csv", tables.BALANCES):
        balances.setdefault(row["contributor_id"], []).append(row)
    return Month(folder.name, (folder / SEAL).exists(), read_verdict(folder).words, balances)


def render(workspace: Workspace, months: Sequence[Month], contributor_id: str, name: str) -> str:
    """One contributor's page; a month is a link where its statement was made."""
    currencies = sorted({row["currency"] for month in months for row in month.balances.get(contributor_id, [])})
    return template(__package__, "overview.html", unbroken=formatting.unbroken).render(
        contributor_id=contributor_id,
        name=name,
        accounts=[_account(workspace, months, contributor_id, currency) for currency in currencies],
    )


def _account(workspace: Workspace, months: Sequence[Month], contributor_id: str, currency: str) -> dict[str, Any]:
    """All months in one currency, from the first in which there was a line."""
    rows = [
        (month, row)
        for month in months
        for row in month.balances.get(contributor_id, [])
        if row["currency"] == currency
    ]
    highest = max(int(row["accrued"]) for _, row in rows) or 1
    earned = sum(int(row["accrued"]) for _, row in rows)
    return {
        "currency": currency,
        "earned": money(earned, currency),
        "count": len(rows),
        "owed": money(int(rows[-1][1]["closing"]), currency),
        **{term: money(sum(int(row[term]) for _, row in rows), currency) for term in TERMS},
        "used": {term: any(int(row[term]) for _, row in rows) for term in TERMS},
        "lines": [
            {
                "month": formatting.month(month.period),
                "label": formatting.month(month.period)[:3],
                "year": month.period[:4] if place == 0 or month.period.endswith("-01") else "",
                "closed": month.closed,
                "rule": month.rule,
                "height": f"{100 * int(row['accrued']) / highest:.1f}%",
                "statement": _link(workspace, month.period, contributor_id),
                **{term: money(int(row[term]), currency) for term in ("accrued", *TERMS, "closing")},
            }
            for place, (month, row) in enumerate(rows)
        ],
    }


def _link(workspace: Workspace, period: str, contributor_id: str) -> str:
    path = Path(period, f"{contributor_id}.html")
    return path.as_posix() if (workspace.statements / path).exists() else ""
