"""Checks that what takes two people's word has it: the signatures in `rewards/corrections/`, and what has none."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from tribute.errors import IntegrityError
from tribute.formatting import money
from tribute.rewards.disputes import all_disputes
from tribute.rewards.ledger import Entry, Posting, corrections
from tribute.rewards.period import NEEDED, PeriodFolder
from tribute.rewards.second_name import FOLDER, policy_for, read_approval, statement_of
from tribute.workspace import Workspace


def check_second_names(workspace: Workspace, read: PeriodFolder, closed: Sequence[str]) -> str:
    """Every correction of the period above the policy's amount is signed by two closers.

    `closed` are the periods before it. What a dispute moved has the reviewers' signatures instead. Raises
    IntegrityError naming the entry, or the file of signatures that is not as it was written.
    """
    files = sorted((workspace.rewards / FOLDER).glob("*.json"))
    approvals = [read_approval(workspace, path) for path in files]
    disputes = all_disputes(workspace)
    rounds = {f"{dispute.id}/{number + 1}" for dispute in disputes for number in range(len(dispute.outcomes))}
    moved: dict[tuple[str, str], int] = defaultdict(int)
    period_of = {posting.entry_id: posting.period for posting in read.journal}
    for entry_id, group in groupby(read.journal, lambda posting: posting.entry_id):
        postings = list(group)
        first = postings[0]
        if first.event not in corrections.CORRECTING:
            continue
        moved[first.contributor_id, first.currency] += sum(max(posting.amount, 0) for posting in postings)
        amount = moved[first.contributor_id, first.currency]
        policy = policy_for(workspace, closed, period_of.get(first.ref, first.ref[: len(read.period)]))
        limit = policy.second_name(first.currency) if policy else None
        if policy is None or limit is None or amount <= limit or first.reason in rounds:
            continue
        statement = statement_of(_entry(postings))
        signers = {
            signature.public: signature.signer
            for statements, signatures in approvals
            if statement in statements
            for signature in signatures
            if signature.signer in policy.closers
        }
        if len(set(signers.values())) < NEEDED:
            raise IntegrityError(
                f"{read.path / 'journal.csv'}: {entry_id} makes corrections of {money(amount, first.currency)} for "
                f"{first.contributor_id}, and above {money(limit, first.currency)} two closers have to sign; "
                f"{workspace.rewards / FOLDER} has {len(signers)} signatures over it"
            )
    signed = "1 file of second names is" if len(files) == 1 else f"{len(files)} files of second names are"
    return f"{signed} signed with keys in the registry, and no correction lacks one"


def _entry(postings: Sequence[Posting]) -> Entry:
    first = postings[0]
    return Entry(
        event=first.event,
        lines=tuple((posting.account, posting.amount) for posting in postings),
        posted_at=first.day,
        currency=first.currency,
        idempotency_key=first.key,
        contributor_id=first.contributor_id,
        ref_entry_id=first.ref,
        reason_code=first.reason,
    )
