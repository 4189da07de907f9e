"""How commands show what they posted, or what waits for a second signature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from tribute.cli._output import Output, Table

if TYPE_CHECKING:
    from tribute.rewards.correct import Correction
    from tribute.rewards.ledger import Posting


class Posted(TypedDict):
    postings: list[dict[str, str]]
    signed: list[str]


def corrected(correction: "Correction", dry_run: bool) -> Output[Posted]:
    """What was posted, or who still has to sign it."""
    if not correction.waits:
        return posted_output(correction.postings, dry_run, correction.signers)
    [signer] = correction.signers
    line = f"this {'would be' if dry_run else 'is'} signed by {signer}; another closer has to give the same command"
    return Output({"postings": [], "signed": [signer]}, [line])


def posted_output(postings: "Sequence[Posting]", dry_run: bool, signed: "Sequence[str]" = ()) -> Output[Posted]:
    """The postings, as a table and as the journal's texts."""
    columns = ("entry", "event", "account", "debit", "credit")
    rows = [_cells(posting) for posting in postings]
    table = Table("Would be posted" if dry_run else "Posted", columns, rows, right=columns[3:])
    data: Posted = {"postings": [posting.texts() for posting in postings], "signed": list(signed)}
    return Output(data, [] if postings else ["nothing to post"], [table] if postings else [])


def _cells(posting: "Posting") -> tuple[str, ...]:
    from tribute.formatting import plain_money

    debit, credit = (
        plain_money(minor, posting.currency) if minor > 0 else "" for minor in (posting.amount, posting.credit)
    )
    return posting.entry_id, posting.event, posting.account, debit, credit
