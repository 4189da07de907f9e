"""The steps of a simulated year: what is handed in and taken back, what happens to the money, and the closing.

Contributions, trainings, signatures and the ledger are real. The days are not: each step moves the workspace's
calendar on, openly, and every manifest says that its days are simulated. Each step may be run again, and finds what
was done already. Who is picked for an event follows from the ledger, so a second year is the same year. Sits above
the columns.
"""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tribute import months
from tribute.artifacts import read_artifact
from tribute.contributions.registry import Registry
from tribute.contributions.rights import register_key, withdraw
from tribute.contributions.sources import import_tldr
from tribute.keys import Key, load_key, make_key
from tribute.money import format_amount
from tribute.pipeline.stages.data import release
from tribute.pipeline.verification import recheck
from tribute.report.year_page import write_year
from tribute.rewards import close as closing
from tribute.rewards import correct
from tribute.rewards.bank_formats import CSV_COLUMNS
from tribute.rewards.disputes import (
    DECIDED,
    OPEN,
    Step,
    add_recheck,
    all_disputes,
    appeal,
    decide,
    open_dispute,
    read_dispute,
)
from tribute.rewards.ledger import Cause, Ledger, handed_over, load, simulate
from tribute.rewards.payments import reconcile
from tribute.rewards.period import NEEDED, policy_of
from tribute.rewards.policy import load_policy, publish
from tribute.rewards.second_name import Signing
from tribute.rewards.statements import write_early
from tribute.rewards.verification import history
from tribute.simulation.config import YearConfig
from tribute.workspace import Workspace


def begin(workspace: Workspace, config: YearConfig) -> list[str]:
    """Keys for everybody whom the policy names, and the policy published; returns the months to come."""
    registry, policy = Registry.create(workspace), load_policy(config.policy)
    _on(workspace, f"{config.first}-01")
    for name in (*policy.closers, *policy.reviewers):
        if not (workspace.keys / name).exists():
            register_key(registry, name, make_key(workspace.keys / name))
    publisher = policy.closers[0]
    publish(workspace, config.policy, publisher, _key(workspace, publisher))
    return config.months


def grow(workspace: Workspace, config: YearConfig, period: str) -> str:
    """Hand in what was written in a month (before the first one, too), and release it; returns the tag."""
    registry, tag = Registry.open(workspace), config.month(period).dataset.tag
    if tag not in [version.tag for version in registry.versions()]:
        since = "" if period == config.first else period
        import_tldr(registry, config.folder, period, config.dataset, since)
        if period == config.events.withdraw:
            _withdraw(workspace, registry, config, period)
        release(workspace, tag, config.month(period).finetuning.base)
    return tag


def happen(workspace: Workspace, config: YearConfig, period: str) -> list[str]:
    """What happens to the money of earlier months in this one; the names of the events."""
    if period in load(workspace).closed:
        return []
    _pay(workspace, period)
    steps = {
        "bounce": _bounce,
        "correct": _correct,
        "claw_back": _claw_back,
        "dispute": _dispute,
        "appeal": _appeal,
    }
    due = [name for name in steps if getattr(config.events, name) == period]
    for name in due:
        steps[name](workspace, period)
    return due


def close(workspace: Workspace, config: YearConfig, period: str) -> str:
    """Two closers close the month on the day after its last; returns the period's folder."""
    closers = load_policy(config.policy).closers[:NEEDED]
    if period not in load(workspace).closed:
        day = _on(workspace, f"{months.next_period(period)}-01")
        for name in closers:
            closing.close(workspace, period, name, _key(workspace, name), day)
    write_early(workspace, period)
    return str(workspace.rewards / period)


def summarise(workspace: Workspace, config: YearConfig) -> str:
    """Check that all months tie out, and write `year.html`; returns its path. Raises IntegrityError."""
    page = workspace.root / "year.html"
    write_year(workspace, history(workspace, config.fee.currency), page)
    return str(page)


def _withdraw(workspace: Workspace, registry: Registry, config: YearConfig, period: str) -> None:
    who = _earned(workspace, period)[0][0]
    own = [
        contribution
        for contribution in registry.snapshot().contributions(config.dataset)
        if contribution.contributor_id == who
    ]
    withdraw(registry, own[0].id, who, "simulated: taken back")


def _pay(workspace: Workspace, period: str) -> None:
    """The bank pays what earlier payables handed over."""
    books = load(workspace)
    left = [row for row in handed_over(workspace.rewards, books) if not books.find(row["idempotency_key"])]
    if left:
        reconcile(workspace, _bank_file(workspace, period, "paid", left), _on(workspace, f"{period}-02"))


def _bounce(workspace: Workspace, period: str) -> None:
    """The smallest of the payments of this month comes back."""
    books = load(workspace)
    handed = handed_over(workspace.rewards, books)
    paid = [row for row in handed if _paid_in(books, row["idempotency_key"]) == period]
    done = [posting for posting in books.of_period(period) if posting.event == "RETURN"]
    if paid and not done:
        smallest = min(paid, key=lambda row: (int(row["amount_minor"]), row["payment_id"]))
        reconcile(workspace, _bank_file(workspace, period, "returned", [smallest]), _on(workspace, f"{period}-05"))


def _correct(workspace: Workspace, period: str) -> None:
    """A tenth more for who is in the middle of those who were paid."""
    earned = _earned(workspace, period)
    name, entry, minor, currency = earned[len(earned) // 2]
    cause = Cause(name, currency, entry, "rows_counted_late", _on(workspace, f"{period}-08"))
    _signed(workspace, period, lambda signing: correct.correct(workspace, cause, max(1, minor // 10), signing))


def _claw_back(workspace: Workspace, period: str) -> None:
    """All that the second one earned in the last two months, some of which is paid out, so that a claim is left."""
    name = _earned(workspace, period)[1][0]
    day = _on(workspace, f"{period}-09")
    for month in (months.shifted(period, -1), period):
        for who, entry, minor, currency in _earned(workspace, month):
            if who == name:
                cause = Cause(name, currency, entry, "copied_rows_found", day)
                _signed(workspace, period, partial(correct.claw_back, workspace, cause, minor))


def _signed(workspace: Workspace, period: str, give: Callable[[Signing], correct.Correction]) -> None:
    """Give a correction's command as two closers do."""
    before = read_artifact(workspace.rewards / months.shifted(period, -1))
    for name in policy_of(before).closers[:NEEDED]:
        if not give(Signing(name, _key(workspace, name))).waits:
            return


def _dispute(workspace: Workspace, period: str) -> None:
    """The third one wants more; two reviewers grant a twentieth where retraining shows that the rows helped."""
    name, _, minor, _ = _earned(workspace, period)[2]
    before, day = months.shifted(period, -1), _on(workspace, f"{period}-10")
    id_ = f"{before}-{name}-1"
    if id_ not in [dispute.id for dispute in all_disputes(workspace)]:
        step = Step(name, "my rows taught more than that", day)
        open_dispute(workspace, before, name, step)
    dispute = read_dispute(workspace, id_)
    if not dispute.count("recheck"):
        found = recheck.recheck(workspace, dispute, lambda work, seeds, _: [work(seed) for seed in seeds])
        dispute = add_recheck(workspace, id_, found, day)
    effect = next(float(event["effect"]) for event in dispute.events if event["event"] == "recheck")
    _decide(workspace, id_, minor // 20 if effect > 0 else 0, f"{period}-15", first=0)


def _appeal(workspace: Workspace, period: str) -> None:
    """The other two reviewers leave it at that."""
    for dispute in all_disputes(workspace):
        if dispute.state == DECIDED:
            day = _on(workspace, f"{period}-10")
            appeal(workspace, dispute.id, Step(dispute.opened_by, "still too little", day))
            _decide(workspace, dispute.id, 0, f"{period}-12", first=NEEDED)


def _decide(workspace: Workspace, id_: str, amount: int, day: str, first: int) -> None:
    dispute = read_dispute(workspace, id_)
    reviewers = policy_of(read_artifact(workspace.rewards / dispute.period)).reviewers[first : first + NEEDED]
    for name in reviewers:
        dispute = read_dispute(workspace, id_)
        if dispute.state == OPEN and [opinion["by"] for opinion in dispute.opinions] != [name]:
            step = Step(name, "by the recheck", _on(workspace, day))
            decide(workspace, id_, amount, _key(workspace, name), step)


def _earned(workspace: Workspace, period: str) -> list[tuple[str, str, int, str]]:
    """(Contributor, entry, minor units, currency) of the month before, the most first."""
    accruals = [
        (posting.contributor_id, posting.entry_id, posting.credit, posting.currency)
        for posting in load(workspace).of_period(months.shifted(period, -1))
        if posting.event == "ACCRUE" and posting.credit > 0
    ]
    return sorted(accruals, key=lambda accrual: (-accrual[2], accrual[0]))


def _paid_in(books: Ledger, key: str) -> str:
    return next((posting.period for posting in books.find(key)), "")


def _bank_file(workspace: Workspace, period: str, status: str, rows: list[dict[str, str]]) -> Path:
    workspace.scratch.mkdir(exist_ok=True)
    path = workspace.scratch / f"bank-{period}-{status}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for row in rows:
            amount = format_amount(int(row["amount_minor"]), row["currency"])
            writer.writerow((row["end_to_end_id"], row["currency"], amount, status, f"{period}-02", ""))
    return path


def _key(workspace: Workspace, name: str) -> Key:
    return load_key(workspace.keys / name)


def _on(workspace: Workspace, day: str) -> str:
    """Let the simulation reach a day; returns it."""
    simulate(workspace.rewards, day)
    return day
