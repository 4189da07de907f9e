"""The page of many closed periods: who earned what month by month, where the money stands, and what adds up.

Computes no amount: `rewards/verification/tie_out.py` reads and checks them. Only the lengths of bars are floats.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tribute.contributions.registry import Registry
from tribute.errors import RewardError
from tribute.files import write_atomically
from tribute.formatting import amount, money, month
from tribute.html import template
from tribute.report.svg import tag
from tribute.rewards.disputes import Dispute, all_disputes
from tribute.rewards.ledger import load, stage
from tribute.rewards.verification import History, Month, totals
from tribute.workspace import Workspace

SHOWN = 8
"""Contributors with a colour of their own; all others share one."""
COLOURS = ("var(--accent)", "var(--minus)", "#4f6bb0", "#8f4f8b", "#5b8c3a", "#c0564d", "#3a8ca0", "#9a7b2f")
REST = "#cfcabd"
STAGES = (
    ("paid", "paid out or withheld", "var(--ink)"),
    ("Payable", "payable", "var(--accent)"),
    ("Held", "held", "var(--held)"),
    ("Accrued", "accrued", "var(--accent-pale)"),
)
"""What became of everything earned so far: key, name and colour, drawn from the bottom up."""
EVENTS = {
    "ADJUST": "correction",
    "CLAWBACK": "claw-back",
    "FEE": "bank charge",
    "RETURN": "returned by the bank",
    "REVERSE": "reversal",
}
HEIGHT, WIDTH, GAP = 220.0, 46.0, 14.0


def write_year(workspace: Workspace, closed: History, out: Path) -> Path:
    """Write the page of all closed periods to `out`, which is returned. Raises RewardError where none is closed."""
    if not closed.months:
        raise RewardError("no period is closed, so there is no year to show; first `tribute period close` one")
    page = template(__package__, "year.html").render(**_parts(workspace, closed))
    write_atomically(out, page.encode())
    return out


def _parts(workspace: Workspace, closed: History) -> dict[str, Any]:
    currency, months, earned = closed.currency, closed.months, totals(closed.months)
    named = dict(zip(list(earned)[:SHOWN], COLOURS, strict=False))
    paid, closing = sum(period.moves["paid"] for period in months), months[-1].moves["closing"]
    return {
        "first": month(months[0].period),
        "last": month(months[-1].period),
        "money": lambda minor: money(minor, currency),
        "number": lambda minor: amount(minor, currency),
        "months": months,
        "month": month,
        "earned": earned,
        "paid": paid,
        "closing": closing,
        "adjusted": sum(period.moves["adjusted"] for period in months),
        "withheld": sum(period.moves["withheld"] for period in months),
        "fee": sum(period.fee for period in months),
        "by_month": _stacks([_earnings(period, named) for period in months], months, currency),
        "standing": _stacks(_standings(months), months, currency),
        "legend": [*named.items(), ("all others", REST)],
        "stages": [(name, colour) for _, name, colour in STAGES],
        "events": _events(workspace, months),
        "disputes": [(dispute, _state(dispute, currency)) for dispute in all_disputes(workspace)],
        "withdrawn": _withdrawn(workspace),
        "ties": closed.ties,
        "colours": named,
        "rest": REST,
    }


Part = tuple[str, int, str]
"""Name, minor units and colour of one part of a stacked bar, the lowest first."""


def _earnings(period: Month, named: Mapping[str, str]) -> list[Part]:
    parts = [(name, period.earned.get(name, 0), colour) for name, colour in named.items()]
    return [*parts, ("all others", sum(period.earned.values()) - sum(minor for _, minor, _ in parts), REST)]


def _standings(months: Sequence[Month]) -> list[list[Part]]:
    """Everything earned up to each month's end, by what became of it."""
    stacks, paid = [], 0
    for period in months:
        paid += period.moves["paid"] + period.moves["withheld"]
        now = {**period.standing, "paid": paid}
        stacks.append([(name, now.get(key, 0), colour) for key, name, colour in STAGES])
    return stacks


def _stacks(stacks: Sequence[Sequence[Part]], months: Sequence[Month], currency: str) -> Markup:
    """Stacked bars, one per month, all on one scale."""
    highest = max((sum(minor for _, minor, _ in parts) for parts in stacks), default=0) or 1
    drawn = []
    for place, (parts, period) in enumerate(zip(stacks, months, strict=True)):
        x, y = place * (WIDTH + GAP), HEIGHT
        for name, minor, colour in parts:
            if minor > 0:
                height = HEIGHT * minor / highest
                y -= height
                tip = f"{month(period.period)}, {name}: {money(minor, currency)}"
                drawn.append(tag("rect", tag("title", tip), x=x, y=y, width=WIDTH, height=height, fill=colour))
        drawn.append(
            tag("text", period.period[5:], x=x + WIDTH / 2, y=HEIGHT + 20, text_anchor="middle", class_="muted")
        )
    width = len(months) * (WIDTH + GAP) - GAP
    return tag("svg", *drawn, viewBox=f"0 -4 {width:.0f} {HEIGHT + 26:.0f}", role="img", class_="stacks")


def _events(workspace: Workspace, months: Sequence[Month]) -> list[dict[str, Any]]:
    """Corrections, claw-backs, returns and bank charges, in the ledger's order; entries of one cause are one event.

    `minor` is below 0 where the contributor is owed less after it.
    """
    events: dict[tuple[str, ...], dict[str, Any]] = {}
    for posting in load(workspace).postings:
        if posting.event in EVENTS and posting.currency == months[0].currency:
            key = (posting.day, posting.event, posting.contributor_id, posting.reason)
            event = events.setdefault(
                key, {"moved": 0, "net": 0, "entries": {}, **posting.texts(), "what": EVENTS[posting.event]}
            )
            event["moved"] += max(posting.amount, 0)
            event["net"] += posting.credit if stage(posting.account) else 0
            event["entries"][posting.entry_id] = posting.ref
    return [{**event, "minor": -event["moved"] if event["net"] < 0 else event["moved"]} for event in events.values()]


def _withdrawn(workspace: Workspace) -> list[tuple[str, str, str]]:
    """Contributor, contribution and the first version without it."""
    withdrawn: list[tuple[str, str, str]] = []
    waiting: list[tuple[str, str]] = []
    for entry in Registry.open(workspace).entries():
        if entry.event in ("withdraw", "erase"):
            waiting.append((entry.details["contributor_id"], entry.subject))
        elif entry.event == "release":
            withdrawn += [(who, contribution, entry.subject) for who, contribution in waiting]
            waiting = []
    return withdrawn


def _state(dispute: Dispute, currency: str) -> str:
    if not dispute.outcomes:
        return "open"
    amounts = [money(int(outcome["amount_minor"]), currency) for outcome in dispute.outcomes]
    return f"{dispute.state}: " + ", then ".join(amounts)
