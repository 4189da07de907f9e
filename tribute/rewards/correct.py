"""Corrects what closed periods accrued: corrections, claw-backs and reversals, with a second name for large amounts.

Above the amount that the policy of the corrected period sets, one person's word is not enough. The first closer's
command records a signature over exactly what would be posted (`rewards/corrections/<16 digits>.json`); the same
command by a second closer, with another key, posts it. The file stays, with both signatures. The amount is all that
is taken from or given to anybody for the same entry and reason, in minor units.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tribute.artifacts import read_artifact
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RewardError
from tribute.files import write_atomically
from tribute.formatting import money
from tribute.keys import Key, check_signature, public_half, sign
from tribute.rewards.ledger import Cause, Entry, Ledger, Posting, balances, corrections, ledger
from tribute.rewards.period import NEEDED, keys_of, policy_of
from tribute.rewards.period.signatures import Signature
from tribute.rewards.policy.policy import Policy
from tribute.strict import parse_json
from tribute.workspace import Workspace

FOLDER = "corrections"
"""In `rewards/`: a file per correction that takes a second name."""


@dataclass(frozen=True)
class Signing:
    """Who gives the command, with their private key."""

    name: str
    key: Key


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
    signatures = _signatures(workspace, books, entries, ref, signing)
    path = workspace.rewards / FOLDER / f"{_subject(entries)[:16]}.json"
    if signatures and not dry_run:
        path.parent.mkdir(exist_ok=True)
        content = {"entries": _statement(entries), "signatures": [asdict(signature) for signature in signatures]}
        write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    signers = [signature.signer for signature in signatures]
    if signatures and len(signatures) < NEEDED:
        return Correction((), signers, waits=True)
    return Correction(postings if dry_run else books.post(entries), signers)


def _signatures(
    workspace: Workspace, books: Ledger, entries: Sequence[Entry], ref: str, signing: Signing | None
) -> list[Signature]:
    """The signatures over these entries, with that of who gives the command; none where no second name is needed."""
    policy, currency = _policy(workspace, books, ref), entries[0].currency
    limit, amount = policy.second_name(currency) if policy else None, _amount(books, entries)
    if policy is None or limit is None or amount <= limit:
        return []
    if signing is None:
        raise RewardError(
            f"corrections of {money(amount, currency)} in {books.open_period} are above the {money(limit, currency)} "
            f"that the policy lets one person post; two of {', '.join(policy.closers)} have to give the command, "
            "each with --as ID --key FILE"
        )
    if signing.name not in policy.closers:
        known = ", ".join(policy.closers) or "nobody"
        raise RewardError(f"{signing.name} is not among the policy's closers ({known}); somebody else has to sign")
    if keys_of(workspace, signing.name)[-1:] != [public_half(signing.key)]:
        raise RewardError(f"the key given is not the latest of {signing.name}; see `tribute key --help`")
    content = _subject(entries).encode()
    own = Signature(signing.name, public_half(signing.key), sign(signing.key, content))
    others = [one for one in _recorded(workspace, entries, policy) if one.signer != signing.name]
    if any(one.public == own.public for one in others):
        raise RewardError(f"{signing.name} signs with the key of {others[0].signer}; two different keys have to sign")
    return [*others, own]


def _recorded(workspace: Workspace, entries: Sequence[Entry], policy: Policy) -> list[Signature]:
    """The signatures that an earlier command recorded over the same entries."""
    path = workspace.rewards / FOLDER / f"{_subject(entries)[:16]}.json"
    if not path.exists():
        return []
    try:
        signatures = [Signature(**one) for one in parse_json(path.read_text(encoding="utf-8"))["signatures"]]
        for signature in signatures:
            if signature.public not in keys_of(workspace, signature.signer):
                raise IntegrityError(f"{signature.signer} never had the key")
            check_signature(signature.public, signature.signature, _subject(entries).encode(), str(path))
    except (ValueError, KeyError, TypeError, IntegrityError) as error:
        raise IntegrityError(f"{path}: not what `tribute period` wrote ({error}); remove it") from error
    return [signature for signature in signatures if signature.signer in policy.closers]


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


def _policy(workspace: Workspace, books: Ledger, ref: str) -> Policy | None:
    """The policy of the closed period that an entry belongs to, or of the latest that is closed; None before any."""
    period = books.entry(ref)[0].period
    if not books.closed:
        return None
    return policy_of(read_artifact(workspace.rewards / (period if period in books.closed else books.closed[-1])))


def _statement(entries: Sequence[Entry]) -> list[dict[str, str]]:
    """What is signed: all of the entries but their day, on which the second command may come later."""
    return [
        {
            "event": entry.event,
            "lines": " ".join(f"{account}={amount}" for account, amount in entry.lines),
            "currency": entry.currency,
            "contributor_id": entry.contributor_id,
            "ref_entry_id": entry.ref_entry_id,
            "reason_code": entry.reason_code,
            "idempotency_key": entry.idempotency_key,
        }
        for entry in entries
    ]


def _subject(entries: Sequence[Entry]) -> str:
    return canonical_digest(_statement(entries))
