"""The steps of a dispute, and the money that each moves in the open period.

A dispute holds what its period accrued and is still accrued; what is payable or paid is beyond its reach. Two
reviewers with two keys decide by how much the period's amount was too low (> 0) or too high (< 0): what is held goes
back to accrued, and the difference is corrected (ADJUST) or taken back (CLAWBACK). The closed period stays as it is.

Money is posted first and the event recorded then, under one lock; the entries' keys follow from the dispute, so a
command that a crash interrupted is finished by running it again. In a dry run all is checked and nothing done; what
comes back is the dispute as it would be. A step's day is never before the last event or posting, nor after today.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tribute import ids, months
from tribute.artifacts import read_artifact
from tribute.contributions.registry import Registry
from tribute.digests import file_sha256
from tribute.errors import RewardError
from tribute.formatting import money
from tribute.keys import Key, public_half, sign
from tribute.rewards.disputes import reviewers, settlement
from tribute.rewards.disputes.dispute import (
    DECIDED,
    OPEN,
    Dispute,
    Step,
    all_disputes,
    check_day,
    read_dispute,
    receipt_part,
    record,
    signed_part,
)
from tribute.rewards.ledger import ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.period.closed import policy_of
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.period.signatures import NEEDED
from tribute.rewards.policy.policy import Policy
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Receipt:
    """The day on which a dispute came in, earlier than that of its posting, and who vouches for it with a key."""

    day: str
    witness: str
    key: Key


def open_dispute(
    workspace: Workspace,
    period: str,
    contributor: str,
    step: Step,
    currency: str = "",
    receipt: Receipt | None = None,
) -> Dispute:
    """Dispute what a closed period accrued to a contributor, and hold it. An empty `currency` is the only one.

    The window of the policy is that of the day of receipt. Raises RewardError after it, for a period that is not
    closed, for somebody who is unknown to it or may not speak for them, and while another dispute about it is open.
    """
    with ledger.writing(workspace) as books:
        books.check_day(step.day)
        policy = _policy(workspace, books, period)
        currency = _currency(workspace, period, contributor, currency)
        reviewers.check_speaker(_tree(workspace), policy, contributor, step.by)
        received = months.checked_day(receipt.day) if receipt else step.day
        _refuse_late(f"{period} could be disputed", months.last_day(period), policy.dispute_days, received)
        known = [
            dispute
            for dispute in all_disputes(workspace)
            if (dispute.period, dispute.contributor_id) == (period, contributor)
        ]
        if busy := [dispute.id for dispute in known if dispute.state == OPEN]:
            raise RewardError(f"{busy[0]} is open already; add to it with `tribute dispute evidence {busy[0]}`")
        id_ = ids.dispute_id(period, contributor, len(known) + 1)
        about = {"period": period, "contributor_id": contributor, "currency": currency, "received": received}
        about |= _vouched(workspace, policy, id_, contributor, step, receipt) if receipt else {}
        holds = settlement.hold(books, Dispute(id_, ({**about},)), id_, step)
        about |= books.calendar.record
        return record(workspace, Dispute(id_, ()), "open", step, by=step.by, why=step.why, holds=holds, **about)


def _vouched(
    workspace: Workspace, policy: Policy, id_: str, contributor: str, step: Step, receipt: Receipt
) -> dict[str, str]:
    """What the event carries of its witness; nothing where it came in on the day of posting."""
    if receipt.day > step.day:
        raise RewardError(f"{id_} cannot have come in on {receipt.day}, after the {step.day} on which it is opened")
    reviewers.check_witness(_tree(workspace), policy, (contributor, step.by), receipt.witness, public_half(receipt.key))
    signature = sign(receipt.key, receipt_part(id_, receipt.day, receipt.witness))
    return {"witness": receipt.witness, "key": public_half(receipt.key), "signature": signature}


def add_evidence(workspace: Workspace, id_: str, file: Path, step: Step) -> Dispute:
    """Keep a file with a dispute that is open."""
    with ledger.writing(workspace) as books:
        dispute, digest = _begun(workspace, books, id_, step), file_sha256(file)
        if not step.dry_run:
            shutil.copyfile(file, workspace.disputes / id_ / digest)
        return record(workspace, dispute, "evidence", step, by=step.by, why=step.why, file=file.name, sha256=digest)


def add_recheck(
    workspace: Workspace, id_: str, measured: Mapping[str, Any], day: str, dry_run: bool = False
) -> Dispute:
    """Attach what retraining without the contributor measured (`tribute.pipeline.verification.recheck`)."""
    step = Step("", "", day, dry_run)
    with ledger.writing(workspace) as books:
        return record(workspace, _begun(workspace, books, id_, step), "recheck", step, **measured)


def decide(workspace: Workspace, id_: str, amount: int, key: Key, step: Step) -> Dispute:
    """One reviewer's decision, in signed minor units; 0 leaves the amount as it is. The second alike settles it.

    A reviewer's later decision replaces the earlier. Raises RewardError for who may not decide; then nothing has
    changed.
    """
    by = step.by
    with ledger.writing(workspace) as books:
        dispute = _begun(workspace, books, id_, step, amount)
        policy = _policy(workspace, books, dispute.period)
        reviewers.check(_tree(workspace), dispute, policy, by, public_half(key))
        repeated = {opinion["by"]: opinion["amount_minor"] for opinion in dispute.opinions}.get(by) == str(amount)
        if not repeated:
            decision = {"by": by, "why": step.why, "amount_minor": str(amount), "head": dispute.head}
            decision |= {"key": public_half(key), "signature": sign(key, signed_part(id_, decision))}
            after = record(workspace, dispute, "decide", replace(step, dry_run=True), **decision)
            if len(_agreed(after, amount)) >= NEEDED:
                # What cannot be posted, on that day for one, is not said either.
                settlement.settle(books, after, amount, replace(step, dry_run=True))
            dispute = record(workspace, dispute, "decide", step, **decision)
        agreed = _agreed(dispute, amount)
        if len(agreed) < NEEDED and repeated:
            raise RewardError(f"{by} decided {id_} already; another of the policy's reviewers has to say the same")
        if len(agreed) < NEEDED:
            return dispute
        entries = settlement.settle(books, dispute, amount, step)
        return record(workspace, dispute, "outcome", step, amount_minor=str(amount), reviewers=agreed, entries=entries)


def _agreed(dispute: Dispute, amount: int) -> list[str]:
    return sorted(opinion["by"] for opinion in dispute.opinions if opinion["amount_minor"] == str(amount))


def appeal(workspace: Workspace, id_: str, step: Step) -> Dispute:
    """Ask for other reviewers, once; what the period accrued and is still accrued is held again."""
    with ledger.writing(workspace) as books:
        dispute = read_dispute(workspace, id_)
        if dispute.state != DECIDED:
            raise RewardError(f"{id_} is {dispute.state}; a decision can be appealed once, and nothing else")
        policy = _policy(workspace, books, dispute.period)
        reviewers.check_speaker(_tree(workspace), policy, dispute.contributor_id, step.by)
        _refuse_late(f"{id_} could be appealed", dispute.outcomes[-1]["at"], policy.dispute_days, step.day)
        _check_days(books, dispute, step)
        holds = settlement.hold(books, dispute, f"{id_}/appeal", step)
        return record(workspace, dispute, "appeal", step, by=step.by, why=step.why, holds=holds)


def _begun(workspace: Workspace, books: Ledger, id_: str, step: Step, amount: int | None = None) -> Dispute:
    """An open dispute, on a day on which the step may be taken.

    Raises RewardError where a crash left a settlement posted, by another amount than this.
    """
    dispute = read_dispute(workspace, id_)
    if dispute.state != OPEN:
        raise RewardError(f"{id_} is {dispute.state}; `tribute dispute appeal` opens a decided one again, once")
    _check_days(books, dispute, step)
    moved = settlement.moved(books, dispute)
    if moved is not None and moved != amount:
        raise RewardError(
            f"{id_} was settled by {money(moved, dispute.currency)} and then interrupted; "
            "give the last reviewer's `tribute dispute decide` once more"
        )
    return dispute


def _check_days(books: Ledger, dispute: Dispute, step: Step) -> None:
    check_day(dispute, months.checked_day(step.day))
    books.check_day(step.day)


def _policy(workspace: Workspace, books: Ledger, period: str) -> Policy:
    """What a closed period was paid by."""
    if period not in books.closed:
        known = ", ".join(books.closed) or "none"
        raise RewardError(f"{period} is not closed, so nothing is accrued yet; closed are: {known}")
    return policy_of(read_artifact(workspace.rewards / period))


def _currency(workspace: Workspace, period: str, contributor: str, currency: str) -> str:
    rows = PeriodFolder(workspace.rewards / period).allocation
    known = sorted({row.currency for row in rows if row.contributor_id == contributor})
    if not known:
        raise RewardError(f"{contributor} has no line in {period}/allocation.csv, so there is nothing to dispute")
    if (currency or known[0]) not in known or (not currency and len(known) > 1):
        raise RewardError(f"{period}/{contributor} is in {', '.join(known)}; say which with --currency")
    return currency or known[0]


def _tree(workspace: Workspace) -> Mapping[str, bytes]:
    return Registry.open(workspace).snapshot().tree


def _refuse_late(what: str, start: str, days: int, day: str) -> None:
    until = (date.fromisoformat(start) + timedelta(days=days)).isoformat()
    if months.checked_day(day) > until:
        raise RewardError(f"{what} until {until}, found {day}; the policy gives {days} days")
