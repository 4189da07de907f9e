"""The money that a dispute holds and that its outcome moves, in the open period. Records no event.

The entries' keys follow from the dispute, so what is posted is found again after a crash.
"""

from collections.abc import Sequence

from tribute.rewards.disputes.dispute import Dispute, Step
from tribute.rewards.ledger import Cause, Entry, Ledger, Posting, accounts, corrections


def hold(books: Ledger, dispute: Dispute, reason: str, step: Step) -> list[str]:
    """Hold what is left of the period's accruals; returns the entries."""
    entries: list[Entry] = []
    for ref in [] if _holds(books, dispute.contributor_id, reason) else _accruals(books, dispute):
        cause = Cause(dispute.contributor_id, dispute.currency, ref, reason, step.day)
        entries += corrections.disputed(books, cause, books.lots.lots[ref].left)
    return _holds(_posted(books, entries, step), dispute.contributor_id, reason)


def settle(books: Ledger, dispute: Dispute, amount: int, step: Step) -> list[str]:
    """Correct the amount and release what is held, all at once; returns the entries, also those posted before."""
    contributor, currency, reason = dispute.contributor_id, dispute.currency, _reason(dispute)
    accruals = _accruals(books, dispute)
    cause = Cause(contributor, currency, accruals[0] if accruals else _fund(books, dispute), reason, step.day)
    # Taken back while it is still held: a release could not be undone by a claw-back of what became payable.
    taken = corrections.clawed_back(books, cause, -amount, accruals) if amount < 0 else []
    released = corrections.settled(books.with_entries(taken), dispute.holds, reason, step.day)
    given = corrections.adjusted(books, cause, amount) if amount > 0 else []
    after = _posted(books, [*taken, *released, *given], step)
    return list(dict.fromkeys(posting.entry_id for posting in _settlement(after, dispute)))


def moved(books: Ledger, dispute: Dispute) -> int | None:
    """Minor units by which this round is settled, > 0 in favour of the contributor; None before it is."""
    postings = _settlement(books, dispute)
    return sum(posting.amount for posting in postings if posting.account == accounts.RESERVE) if postings else None


def _posted(books: Ledger, entries: Sequence[Entry], step: Step) -> Ledger:
    """The ledger with these entries: posted, or in a dry run only in memory."""
    if step.dry_run:
        return books.with_entries(entries)
    books.post(entries)
    return books


def _holds(books: Ledger, contributor: str, reason: str) -> list[str]:
    wanted = ("HOLD", contributor, reason)
    holds = [posting for posting in books.postings if (posting.event, posting.contributor_id, posting.reason) == wanted]
    return list(dict.fromkeys(posting.entry_id for posting in holds))


def _reason(dispute: Dispute) -> str:
    """The `reason_code` of everything that settles this round."""
    return f"{dispute.id}/{len(dispute.outcomes) + 1}"


def _settlement(books: Ledger, dispute: Dispute) -> list[Posting]:
    """What settles this round; nothing before it is settled."""
    wanted = (dispute.contributor_id, _reason(dispute))
    return [posting for posting in books.postings if (posting.contributor_id, posting.reason) == wanted]


def _accruals(books: Ledger, dispute: Dispute) -> list[str]:
    """The entries by which the disputed period accrued something to the contributor."""
    wanted = ("ACCRUE", dispute.contributor_id, dispute.currency)
    period = books.of_period(dispute.period)
    accruals = [posting for posting in period if (posting.event, posting.contributor_id, posting.currency) == wanted]
    return list(dict.fromkeys(posting.entry_id for posting in accruals))


def _fund(books: Ledger, dispute: Dispute) -> str:
    """What a correction refers to where the period accrued nothing: the entry that funded it."""
    funds = [posting for posting in books.of_period(dispute.period) if posting.event == "FUND"]
    return next(posting.entry_id for posting in funds if posting.currency == dispute.currency)
