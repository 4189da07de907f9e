"""Corrects what closed periods accrued: corrections, claw-backs and reversals, with a second name for large amounts.

Above the amount that the policy of the corrected period sets, one person's word is not enough (`second_name.py`).
The amount is all that corrections of the open period take from or give to the contributor, in minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tribute.rewards import second_name
from tribute.rewards.ledger import Cause, Entry, Ledger, Posting, balances, corrections, ledger
from tribute.rewards.second_name import Proposal, Signing
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Correction:
    """What was posted, and who signed it; `waits` where a second closer has to give the same command."""

    postings: Sequence[Posting]
    signers: Sequence[str] = ()
    waits: bool = False


def correct(
    workspace: Workspace, cause: Cause, amount: int, signing: Signing | None = None, dry_run: bool = False
) -> Correction:
    """Correct by `amount` minor units, > 0 in favour of the contributor and < 0 against. Raises RewardError."""
    with ledger.writing(workspace) as books:
        books.calendar.check_day(cause.day)
        return _post(workspace, books, corrections.adjusted(books, cause, amount), cause.ref, signing, dry_run)


def claw_back(
    workspace: Workspace, cause: Cause, amount: int, signing: Signing | None = None, dry_run: bool = False
) -> Correction:
    """Take `amount` minor units > 0 back, no more than the entry has left. Raises RewardError."""
    with ledger.writing(workspace) as books:
        books.calendar.check_day(cause.day)
        return _post(workspace, books, corrections.clawed_back(books, cause, amount), cause.ref, signing, dry_run)


def reverse(
    workspace: Workspace, entry_id: str, reason: str, day: str, signing: Signing | None = None, dry_run: bool = False
) -> Correction:
    """Post the exact mirror of an entry. Raises RewardError."""
    with ledger.writing(workspace) as books:
        books.calendar.check_day(day)
        flying = balances.in_flight(workspace.rewards, books)
        entries = corrections.reversed_entry(books, entry_id, reason, day, flying)
        return _post(workspace, books, entries, entry_id, signing, dry_run)


def _post(
    workspace: Workspace, books: Ledger, entries: Sequence[Entry], ref: str, signing: Signing | None, dry_run: bool
) -> Correction:
    after = books.with_entries(entries)
    postings = after.postings[len(books.postings) :]
    if not entries:
        return Correction(postings)
    proposal = Proposal(entries, books.entry(ref)[0].period, _amount(books, entries))
    approval = second_name.approve(workspace, books, proposal, signing, dry_run)
    if approval.waits:
        return Correction((), approval.signers, waits=True)
    return Correction(postings if dry_run else books.post(entries), approval.signers)


def _amount(books: Ledger, entries: Sequence[Entry]) -> int:
    """What these entries and earlier corrections of the open period move for the contributor, in minor units.

    Added up, so that many small corrections take a second name like a large one.
    """
    contributor_id, currency = entries[0].contributor_id or entries[-1].contributor_id, entries[0].currency
    earlier = sum(
        posting.amount
        for posting in books.of_period(books.open_period)
        if (posting.contributor_id, posting.currency) == (contributor_id, currency)
        if posting.amount > 0 and posting.event in corrections.CORRECTING
    )
    return earlier + sum(
        sum(minor for _, minor in entry.lines if minor > 0)
        for entry in entries
        if entry.event in corrections.CORRECTING
    )
