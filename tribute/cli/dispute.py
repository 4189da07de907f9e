"""Dispute statements: money is held until two reviewers decide."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, Day, DryRun, KeyFile, Signer, Why, WorkspaceFolder, posting_day, refuse_blank
from tribute.cli._output import Output, Table
from tribute.errors import RewardError
from tribute.formatting import plain_money as money

if TYPE_CHECKING:
    from tribute.rewards.disputes import Dispute, Event

DisputeId = Annotated[str, typer.Argument(metavar="DISPUTE", help="The dispute's id, such as 2026-11-ada-1.")]
By = Annotated[
    str,
    typer.Option(
        metavar="ID",
        callback=refuse_blank,
        help="Who says so: the contributor, their organisation or a steward of the policy; recorded.",
    ),
]

_ZERO = re.compile(r"[+-]?0(\.0+)?")


class Disputed(TypedDict):
    dispute: str
    state: str
    events: list[dict[str, Any]]


class Disputes(TypedDict):
    disputes: list[Disputed]


class Rechecked(TypedDict):
    run: str


@command
def open_(
    statement: Annotated[str, typer.Argument(metavar="STATEMENT", help="The statement's number, such as 2026-11-ada.")],
    by: By,
    why: Why,
    currency: Annotated[str, typer.Option(metavar="CODE", help="The currency, if the statement has several.")] = "",
    received: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The day on which the objection arrived, if before the posting."),
    ] = None,
    witness: Annotated[
        str | None, typer.Option(metavar="ID", help="A second person who vouches for --received, not who gives --by.")
    ] = None,
    witness_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Their private key, to sign with.")] = None,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Disputed]:
    """Dispute what a closed period accrued to a contributor; what is not payable yet is held."""
    from tribute.ids import parse_statement_id
    from tribute.keys import load_key
    from tribute.rewards.disputes import Receipt, Step, open_dispute
    from tribute.workspace import Workspace

    period, contributor = parse_statement_id(statement)
    home = Workspace.open(workspace)
    receipt = None
    if received is not None:
        if witness is None or witness_key is None:
            raise RewardError(f"--received {received} takes a second person: give --witness ID --witness-key FILE")
        receipt = Receipt(received, witness, load_key(witness_key))
    step = Step(by, why, posting_day(home, date), dry_run)
    return _shown(open_dispute(home, period, contributor, step, currency, receipt), dry_run)


@command
def evidence(
    dispute: DisputeId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any file; a copy is kept.")],
    by: By,
    why: Why,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Disputed]:
    """Add a file as evidence; reviewers who decided before have to decide again."""
    from tribute.rewards.disputes import Step, add_evidence
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    step = Step(by, why, posting_day(home, date), dry_run)
    return _shown(add_evidence(home, dispute, file, step), dry_run)


@command
def recheck(
    dispute: DisputeId, date: Day = None, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False
) -> Output[Disputed | Rechecked]:
    """Retrain the period's model without the contributor, with the same seeds, and attach both losses."""
    from tribute.cli._workers import run_each
    from tribute.pipeline.verification import recheck as pipeline
    from tribute.rewards.disputes import add_recheck, read_dispute
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    disputed = read_dispute(home, dispute)
    if dry_run:
        run_id = pipeline.run_of(home, disputed.period)
        return Output({"run": run_id}, [f"would train {run_id} again without {disputed.contributor_id}"])
    measured = pipeline.recheck(home, disputed, run_each)
    return _shown(add_recheck(home, dispute, measured, posting_day(home, date)))


@command
def decide(
    dispute: DisputeId,
    amount: Annotated[
        str,
        typer.Option(
            metavar="AMOUNT",
            help="By how much too low (12.50), too high (-12.50), or 0; in an appeal, on top of the first decision.",
        ),
    ],
    as_: Signer,
    key: KeyFile,
    why: Why,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Disputed]:
    """Decide as a reviewer, or change your decision; once two agree, the money is released and corrected."""
    from tribute.keys import load_key
    from tribute.money import parse_signed
    from tribute.rewards.disputes import Step, read_dispute
    from tribute.rewards.disputes import decide as decide_dispute
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    currency = read_dispute(home, dispute).currency
    minor = 0 if _ZERO.fullmatch(amount) else parse_signed(amount, currency)
    step = Step(as_, why, posting_day(home, date), dry_run)
    return _shown(decide_dispute(home, dispute, minor, load_key(key), step), dry_run)


@command
def appeal(
    dispute: DisputeId,
    by: By,
    why: Why,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Disputed]:
    """Appeal a decision, once, to two other reviewers."""
    from tribute.rewards.disputes import Step
    from tribute.rewards.disputes import appeal as appeal_dispute
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    return _shown(appeal_dispute(home, dispute, Step(by, why, posting_day(home, date), dry_run)), dry_run)


@command
def show(
    dispute: Annotated[
        str | None, typer.Argument(metavar="[DISPUTE]", help="The dispute's id; without it, list all.")
    ] = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Disputed | Disputes]:
    """Show what was said and decided."""
    from tribute.rewards.disputes import all_disputes, read_dispute
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    if dispute is not None:
        return _shown(read_dispute(home, dispute))
    known = all_disputes(home)
    rows = [(each.id, each.opened_by, each.state, str(len(each.events))) for each in known]
    table = Table("Disputes", ("dispute", "opened by", "state", "events"), rows, right=("events",))
    return Output(
        {"disputes": [_data(each) for each in known]}, [] if known else ["no dispute"], [table] if known else []
    )


def _shown(dispute: "Dispute", dry_run: bool = False) -> Output[Disputed]:
    from tribute.rewards.disputes import OPEN
    from tribute.rewards.period import NEEDED

    rows = [
        (event["at"], event["event"], event.get("by") or ", ".join(event.get("reviewers", ())), _what(event, dispute))
        for event in dispute.events
    ]
    line = f"{dispute.id} {'would be' if dry_run else 'is'} {dispute.state}"
    if dispute.state == OPEN and dispute.opinions:
        line += f"; {len(dispute.opinions)} of {NEEDED} reviewers decided"
        amounts = sorted({int(opinion["amount_minor"]) for opinion in dispute.opinions})
        if len(amounts) > 1:
            line += f", and they differ: {' and '.join(money(minor, dispute.currency) for minor in amounts)}"
    return Output(_data(dispute), [line], [Table(dispute.id, ("day", "event", "by", "what"), rows)])


def _what(event: "Event", dispute: "Dispute") -> str:
    kind = event["event"]
    if kind == "recheck":
        effect, error = float(event["effect"]), float(event["effect_se"])
        return f"without the rows the loss changes by {effect:+.4f} ± {error:.4f} nats"
    if kind == "evidence":
        return f"{event['file']}: {event['why']}"
    if kind == "decide":
        return f"{money(int(event['amount_minor']), dispute.currency)}: {event['why']}"
    if kind == "outcome":
        return f"{money(int(event['amount_minor']), dispute.currency)}; {_count(event['entries'])} posted"
    late = f"received on {event['received']}, " if event.get("received", event["at"]) != event["at"] else ""
    return f"{late}{event['why']}; {_count(event['holds'])} held"


def _count(entries: Sequence[str]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"


def _data(dispute: "Dispute") -> Disputed:
    return {"dispute": dispute.id, "state": dispute.state, "events": [dict(event) for event in dispute.events]}
