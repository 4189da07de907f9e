"""The steps of a dispute, and the money that each moves in the open period.

A dispute holds what its period accrued and is still accrued; what is payable or paid is beyond its reach. Two
reviewers with two keys decide by how much the period's amount was too low (> 0) or too high (< 0): what is held goes
back to accrued, and the difference is corrected (ADJUST) or taken back (CLAWBACK). The closed period stays as it is.

Money is posted first and the event recorded then, under one lock; the entries' keys follow from the dispute, so a
command that a crash interrupted is finished by running it again. With `rehearse` all is checked and nothing done; what
comes back is the dispute as it would be.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tribute import ids, months
from tribute.artifacts import read_artifact
from tribute.contributions.registry import Registry
from tribute.digests import file_sha256
from tribute.errors import RewardError
from tribute.keys import Key, public_half, sign
from tribute.rewards import tables
from tribute.rewards.disputes import reviewers
from tribute.rewards.disputes.dispute import (
    DECIDED,
    OPEN,
    Dispute,
    all_disputes,
    check_day,
    read_dispute,
    record,
    signed_part,
)
from tribute.rewards.ledger import accounts, corrections, ledger
from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.ledger.ledger import Ledger
from tribute.rewards.period.closed import policy_of
from tribute.rewards.period.signatures import NEEDED
from tribute.rewards.policy.policy import Policy
from tribute.workspace import Workspace


def open_dispute(
    workspace: Workspace,
    period: str,
    contributor: str,
    by: str,
    why: str,
    day: str,
    currency: str,
    rehearse: bool = False,
) -> Dispute:
    """Dispute what a closed period accrued to a contributor, and hold it. An empty `currency` is the only one.

    Raises RewardError after the policy's window, for a period that is not closed, for somebody who is unknown to it,
    and while another dispute about it is open.
    """
    with ledger.writing(workspace) as books:
        policy = _policy(workspace, books, period)
        currency = _currency(workspace, period, contributor, currency)
        _refuse_late(f"{period} could be disputed", months.last_day(period), policy.dispute_days, day)
        known = [one for one in all_disputes(workspace) if (one.period, one.contributor_id) == (period, contributor)]
        if busy := [one.id for one in known if one.state == OPEN]:
            raise RewardError(f"{busy[0]} is open already; add to it with `tribute dispute evidence {busy[0]}`")
        id_ = ids.dispute_id(period, contributor, len(known) + 1)
        holds = _hold(books, period, contributor, currency, id_, day, rehearse)
        about = {"period": period, "contributor_id": contributor, "currency": currency}
        return record(workspace, Dispute(id_, ()), "open", day, rehearse, by=by, why=why, holds=holds, **about)


def add_evidence(
    workspace: Workspace, id_: str, file: Path, by: str, why: str, day: str, rehearse: bool = False
) -> Dispute:
    """Keep a file with a dispute that is open."""
    with ledger.writing(workspace) as books:
        dispute, digest = _untouched(books, _open(workspace, id_)), file_sha256(file)
        if not rehearse:
            shutil.copyfile(file, workspace.disputes / id_ / digest)
        return record(workspace, dispute, "evidence", day, rehearse, by=by, why=why, file=file.name, sha256=digest)


def add_recheck(workspace: Workspace, id_: str, found: Mapping[str, Any], day: str, rehearse: bool = False) -> Dispute:
    """Attach what retraining without the contributor found (`tribute.pipeline.recheck`)."""
    with ledger.writing(workspace) as books:
        return record(workspace, _untouched(books, _open(workspace, id_)), "recheck", day, rehearse, **found)


def decide(
    workspace: Workspace, id_: str, amount: int, by: str, key: Key, why: str, day: str, rehearse: bool = False
) -> Dispute:
    """One reviewer's decision, in signed minor units; 0 leaves the amount as it is. The second alike settles it.

    Raises RewardError for who may not decide; then nothing has changed.
    """
    with ledger.writing(workspace) as books:
        dispute = _untouched(books, _open(workspace, id_), amount)
        tree = Registry.open(workspace).snapshot().tree
        reviewers.check(tree, dispute, _policy(workspace, books, dispute.period), by, public_half(key))
        said = {one["by"]: one["amount_minor"] for one in dispute.opinions}
        if said.get(by, str(amount)) != str(amount):
            raise RewardError(f"{by} decided {said[by]} minor units already; new evidence opens {id_} to another view")
        if by not in said:
            decision = {"by": by, "why": why, "amount_minor": str(amount), "head": dispute.head}
            signed = {"key": public_half(key), "signature": sign(key, signed_part(id_, decision))}
            after = record(workspace, dispute, "decide", day, True, **decision, **signed)
            if len(_agreed(after, amount)) >= NEEDED:
                # What cannot be posted, on that day for one, is not said either.
                _settle(books, after, amount, day, rehearse=True)
            dispute = record(workspace, dispute, "decide", day, rehearse, **decision, **signed)
        agreed = _agreed(dispute, amount)
        if len(agreed) < NEEDED and by in said:
            raise RewardError(f"{by} decided {id_} already; another of the policy's reviewers has to say the same")
        if len(agreed) < NEEDED:
            return dispute
        entries = _settle(books, dispute, amount, day, rehearse)
        return record(
            workspace, dispute, "outcome", day, rehearse, amount_minor=str(amount), reviewers=agreed, entries=entries
        )


def _agreed(dispute: Dispute, amount: int) -> list[str]:
    return sorted({one["by"] for one in dispute.opinions if one["amount_minor"] == str(amount)})


def appeal(workspace: Workspace, id_: str, by: str, why: str, day: str, rehearse: bool = False) -> Dispute:
    """Ask for other reviewers, once; what the period accrued and is still accrued is held again."""
    with ledger.writing(workspace) as books:
        dispute = read_dispute(workspace, id_)
        if dispute.state != DECIDED:
            raise RewardError(f"{id_} is {dispute.state}; a decision can be appealed once, and nothing else")
        policy = _policy(workspace, books, dispute.period)
        _refuse_late(f"{id_} could be appealed", dispute.outcomes[-1]["at"], policy.dispute_days, day)
        check_day(dispute, day)
        period, contributor, currency = dispute.period, dispute.contributor_id, dispute.currency
        holds = _hold(books, period, contributor, currency, f"{id_}/appeal", day, rehearse)
        return record(workspace, dispute, "appeal", day, rehearse, by=by, why=why, holds=holds)


def _hold(
    books: Ledger, period: str, contributor: str, currency: str, reason: str, day: str, rehearse: bool
) -> list[str]:
    """Hold what is left of the period's accruals; returns the entries."""
    entries = []
    for ref in [] if _holds(books, contributor, reason) else _accruals(books, period, contributor, currency):
        cause = Cause(contributor, currency, ref, reason, day)
        entries += corrections.disputed(books, cause, books.lots.lots[ref].left)
    return _holds(_posted(books, entries, rehearse), contributor, reason)


def _posted(books: Ledger, entries: Sequence[Entry], rehearse: bool) -> Ledger:
    """The ledger with these entries: posted, or with `rehearse` only in memory."""
    if rehearse:
        return books.with_entries(entries)
    books.post(entries)
    return books


def _holds(books: Ledger, contributor: str, reason: str) -> list[str]:
    wanted = ("HOLD", contributor, reason)
    holds = [one for one in books.postings if (one.event, one.contributor_id, one.reason) == wanted]
    return list(dict.fromkeys(posting.entry_id for posting in holds))


def _settle(books: Ledger, dispute: Dispute, amount: int, day: str, rehearse: bool) -> list[str]:
    """Correct the amount and release what is held, all at once; returns the entries, also those posted before."""
    contributor, currency, reason = dispute.contributor_id, dispute.currency, _reason(dispute)
    accruals = _accruals(books, dispute.period, contributor, currency)
    cause = Cause(contributor, currency, accruals[0] if accruals else _fund(books, dispute), reason, day)
    # Taken back while it is still held: a release could not be undone by a claw-back of what became payable.
    taken = corrections.clawed_back(books, cause, -amount) if amount < 0 else []
    released = corrections.settled(books.with_entries(taken), dispute.holds, reason, day)
    given = corrections.adjusted(books, cause, amount) if amount > 0 else []
    after = _posted(books, [*taken, *released, *given], rehearse)
    return list(dict.fromkeys(posting.entry_id for posting in _settlement(after, dispute)))


def _reason(dispute: Dispute) -> str:
    """The `reason_code` of everything that settles this round."""
    return f"{dispute.id}/{len(dispute.outcomes) + 1}"


def _settlement(books: Ledger, dispute: Dispute) -> list[Posting]:
    """What settles this round; nothing before it is settled."""
    wanted = (dispute.contributor_id, _reason(dispute))
    return [posting for posting in books.postings if (posting.contributor_id, posting.reason) == wanted]


def _untouched(books: Ledger, dispute: Dispute, amount: int | None = None) -> Dispute:
    """The dispute. Raises RewardError where a crash left a settlement posted, by another amount than this."""
    lines = _settlement(books, dispute)
    moved = sum(posting.amount for posting in lines if posting.account == accounts.RESERVE)
    if lines and moved != amount:
        raise RewardError(
            f"{dispute.id} was settled by {moved} minor units of {dispute.currency} and then interrupted; "
            "give the last reviewer's `tribute dispute decide` once more"
        )
    return dispute


def _accruals(books: Ledger, period: str, contributor: str, currency: str) -> list[str]:
    """The entries by which the period accrued something to the contributor."""
    wanted = ("ACCRUE", contributor, currency)
    accruals = [one for one in books.of_period(period) if (one.event, one.contributor_id, one.currency) == wanted]
    return list(dict.fromkeys(posting.entry_id for posting in accruals))


def _fund(books: Ledger, dispute: Dispute) -> str:
    """What a correction refers to where the period accrued nothing: the entry that funded it."""
    funds = [posting for posting in books.of_period(dispute.period) if posting.event == "FUND"]
    return next(posting.entry_id for posting in funds if posting.currency == dispute.currency)


def _policy(workspace: Workspace, books: Ledger, period: str) -> Policy:
    """What a closed period was paid by."""
    if period not in books.closed:
        known = ", ".join(books.closed) or "none"
        raise RewardError(f"{period} is not closed, so nothing is accrued yet; closed are: {known}")
    return policy_of(read_artifact(workspace.rewards / period))


def _currency(workspace: Workspace, period: str, contributor: str, currency: str) -> str:
    rows = tables.read_csv(workspace.rewards / period / "allocation.csv", tables.ALLOCATION)
    known = sorted({row["currency"] for row in rows if row["contributor_id"] == contributor})
    if not known:
        raise RewardError(f"{contributor} has no line in {period}/allocation.csv, so there is nothing to dispute")
    if (currency or known[0]) not in known or (not currency and len(known) > 1):
        raise RewardError(f"{period}/{contributor} is in {', '.join(known)}; say which with --currency")
    return currency or known[0]


def _open(workspace: Workspace, id_: str) -> Dispute:
    dispute = read_dispute(workspace, id_)
    if dispute.state != OPEN:
        raise RewardError(f"{id_} is {dispute.state}; `tribute dispute appeal` opens a decided one again, once")
    return dispute


def _refuse_late(what: str, start: str, days: int, day: str) -> None:
    until = (date.fromisoformat(start) + timedelta(days=days)).isoformat()
    if months.checked_day(day) > until:
        raise RewardError(f"{what} until {until}, found {day}; the policy gives {days} days")
