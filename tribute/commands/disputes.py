"""Commands for contributors' questions: statements, disputes, and what another policy would have paid."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tribute.commands.output import Output, Table
from tribute.commands.periods import given
from tribute.commands.stages import _each
from tribute.ids import parse_statement_id
from tribute.keys import load_key
from tribute.money import format_amount, parse_signed
from tribute.pipeline import recheck
from tribute.rewards.allocation import simulate
from tribute.rewards.disputes import Dispute, resolution
from tribute.rewards.disputes import dispute as disputes
from tribute.rewards.period import NEEDED
from tribute.rewards.policy import compare, load_policy
from tribute.rewards.statements import statements
from tribute.workspace import Workspace

_ZERO = re.compile(r"[+-]?0(\.0+)?")


def statement(workspace: Path, period: str, contributors: Sequence[str], dry_run: bool) -> Output:
    """`tribute statement`."""
    if dry_run:
        names = statements.whose(Workspace.open(workspace), period, contributors)
        return Output({"period": period, "contributors": names}, [f"would make {len(names)} statements of {period}"])
    made = statements.write_statements(Workspace.open(workspace), period, contributors)
    return Output({"period": period, "statements": [str(path) for path in made]}, [str(path) for path in made])


def dispute_open(
    workspace: Path, what: str, by: str, why: str, currency: str, day: str | None, dry_run: bool
) -> Output:
    """`tribute dispute open`."""
    period, contributor = parse_statement_id(what)
    home, on = Workspace.open(workspace), given(day)
    return _told(resolution.open_dispute(home, period, contributor, by, why, on, currency, dry_run), dry_run)


def dispute_evidence(
    workspace: Path, id_: str, file: Path, by: str, why: str, day: str | None, dry_run: bool
) -> Output:
    """`tribute dispute evidence`."""
    home, on = Workspace.open(workspace), given(day)
    return _told(resolution.add_evidence(home, id_, file, by, why, on, dry_run), dry_run)


def dispute_recheck(workspace: Path, id_: str, day: str | None, dry_run: bool) -> Output:
    """`tribute dispute recheck`."""
    home = Workspace.open(workspace)
    if dry_run:
        dispute = disputes.read_dispute(home, id_)
        run_id = recheck.run_of(home, dispute.period)
        return Output({"run": run_id}, [f"would train {run_id} again without {dispute.contributor_id}"])
    found = recheck.recheck(home, disputes.read_dispute(home, id_), _each)
    return _told(resolution.add_recheck(home, id_, found, given(day)))


def dispute_decide(
    workspace: Path, id_: str, amount: str, by: str, key: Path, why: str, day: str | None, dry_run: bool
) -> Output:
    """`tribute dispute decide`."""
    home = Workspace.open(workspace)
    currency = disputes.read_dispute(home, id_).currency
    signed = _signed(amount, currency)
    on = given(day)
    return _told(resolution.decide(home, id_, signed, by, load_key(key), why, on, dry_run), dry_run)


def dispute_appeal(workspace: Path, id_: str, by: str, why: str, day: str | None, dry_run: bool) -> Output:
    """`tribute dispute appeal`."""
    home, on = Workspace.open(workspace), given(day)
    return _told(resolution.appeal(home, id_, by, why, on, dry_run), dry_run)


def dispute_show(workspace: Path, id_: str | None) -> Output:
    """`tribute dispute show`: one with all its events, or the list of all."""
    home = Workspace.open(workspace)
    if id_ is not None:
        return _told(disputes.read_dispute(home, id_))
    found = disputes.all_disputes(home)
    rows = [(one.id, one.opened_by, one.state, str(len(one.events))) for one in found]
    table = Table("Disputes", ("dispute", "opened by", "state", "events"), rows, right=("events",))
    return Output([_data(one) for one in found], [] if found else ["no dispute"], [table] if found else [])


def policy_diff(before: Path, after: Path) -> Output:
    """`tribute policy diff`."""
    found = compare.differences(load_policy(before), load_policy(after))
    table = Table("What differs", ("setting", str(before), str(after)), found)
    data = [{"setting": name, "before": old, "after": new} for name, old, new in found]
    return Output(data, [] if found else ["no setting differs"], [table] if found else [])


def policy_simulate(workspace: Path, file: Path, period: str) -> Output:
    """`tribute policy simulate`: what a period would have paid by this policy."""
    home = Workspace.open(workspace)
    found = simulate.simulate(home, statements.found(home, period), load_policy(file))
    keys = sorted(found.would, key=lambda key: (-abs(found.change(key)), key))
    rows = [
        (key[0], *(_amount(minor, key[1]) for minor in (found.paid[key], found.would[key], found.change(key))))
        for key in keys
    ]
    columns = ("contributor", "paid", "by this policy", "difference")
    kept = [
        f"{code}: " + ", ".join(f"{name.replace('_', ' ')} {_amount(minor, code)}" for name, minor in parts.items())
        for code, parts in found.kept.items()
    ]
    data = {
        "period": period,
        "rule": found.rule,
        "kept": {code: {name: str(minor) for name, minor in parts.items()} for code, parts in found.kept.items()},
        "contributors": [
            {"contributor_id": name, "currency": code, "paid_minor": str(found.paid[name, code])}
            | {"would_minor": str(found.would[name, code])}
            for name, code in keys
        ],
    }
    return Output(data, [f"{period} by {found.rule}; {'; '.join(kept)}"], [Table(period, columns, rows, columns[1:])])


def _signed(amount: str, currency: str) -> int:
    """Minor units of an amount that may have a sign, or be `0`."""
    return 0 if _ZERO.fullmatch(amount) else parse_signed(amount, currency)


def _told(dispute: Dispute, dry_run: bool = False) -> Output:
    rows = [
        (one["at"], one["event"], one.get("by") or ", ".join(one.get("reviewers", ())), _what(one, dispute.currency))
        for one in dispute.events
    ]
    line = f"{dispute.id} {'would be' if dry_run else 'is'} {dispute.state}"
    if dispute.state == disputes.OPEN and dispute.opinions:
        line += f"; {len(dispute.opinions)} of {NEEDED} reviewers decided"
        amounts = sorted({int(one["amount_minor"]) for one in dispute.opinions})
        if len(amounts) > 1:
            line += f", and they differ: {' and '.join(_amount(one, dispute.currency) for one in amounts)}"
    return Output(_data(dispute), [line], [Table(dispute.id, ("day", "event", "by", "what"), rows)])


def _what(event: disputes.Event, currency: str) -> str:
    kind = event["event"]
    if kind == "recheck":
        effect, error = float(event["effect"]), float(event["effect_se"])
        return f"without the rows the loss changes by {effect:+.4f} ± {error:.4f} nats"
    if kind == "evidence":
        return f"{event['file']}: {event['why']}"
    if kind == "decide":
        return f"{_amount(int(event['amount_minor']), currency)}: {event['why']}"
    if kind == "outcome":
        return f"{_amount(int(event['amount_minor']), currency)}; {_count(event['entries'])} posted"
    return f"{event['why']}; {_count(event['holds'])} held"


def _count(entries: Sequence[str]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"


def _data(dispute: Dispute) -> dict[str, Any]:
    return {"dispute": dispute.id, "state": dispute.state, "events": list(dispute.events)}


def _amount(minor: int, currency: str) -> str:
    return f"{format_amount(minor, currency)} {currency}"
