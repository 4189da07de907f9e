"""Two people's word for what moves more than the policy lets one person post.

The first closer's command records a signature over exactly what would be posted
(`rewards/corrections/<16 digits>.json`); the same command by a second closer, with another key, posts it. The file
stays, with both signatures.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from tribute.artifacts import read_artifact
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RewardError
from tribute.files import write_atomically
from tribute.formatting import money
from tribute.keys import Key, check_signature, public_half, sign
from tribute.rewards.ledger import Entry, Ledger
from tribute.rewards.period import NEEDED, keys_of, policy_of
from tribute.rewards.period.signatures import Signature
from tribute.rewards.policy.policy import Policy
from tribute.strict import parse_json
from tribute.workspace import Workspace

FOLDER = "corrections"
"""In `rewards/`: a file per command that takes a second name."""

Statement = dict[str, str]
"""What is signed of an entry: all but its day, on which the second command may come later."""


@dataclass(frozen=True)
class Signing:
    """Who gives the command, with their private key."""

    name: str
    key: Key


class Proposal(NamedTuple):
    """Entries that go back to `period`, and the minor units that count against its policy's limit."""

    entries: Sequence[Entry]
    period: str
    amount: int


@dataclass(frozen=True)
class Approval:
    """Who signed, nobody where one person's word is enough; `waits` where a second closer has to sign, too."""

    signers: Sequence[str] = ()

    @property
    def waits(self) -> bool:
        """Whether nothing may be posted yet."""
        return 0 < len(self.signers) < NEEDED


def policy_for(workspace: Workspace, closed: Sequence[str], period: str) -> Policy | None:
    """The policy of a period if it is closed, or else of the latest that is; None before any."""
    if not closed:
        return None
    return policy_of(read_artifact(workspace.rewards / (period if period in closed else closed[-1])))


def approve(
    workspace: Workspace, books: Ledger, proposal: Proposal, signing: Signing | None, dry_run: bool
) -> Approval:
    """Record a signature where the entries need two, else nothing; a dry run says who would have signed.

    Raises RewardError where nobody signs, or somebody who may not.
    """
    entries, period, amount = proposal
    policy, currency = policy_for(workspace, books.closed, period), entries[0].currency
    limit = policy.second_name(currency) if policy else None
    if policy is None or limit is None or amount <= limit:
        return Approval()
    if signing is None:
        raise RewardError(
            f"{money(amount, currency)} in {books.open_period} is above the {money(limit, currency)} that the policy "
            f"lets one person post for a contributor; two of {', '.join(policy.closers)} have to give the command, "
            "each with --as ID --key FILE"
        )
    path, statements = _path(workspace.rewards, entries), [statement_of(entry) for entry in entries]
    signatures = [*_others(workspace, path, policy, signing), _own(workspace, policy, signing, statements)]
    if len({signature.public for signature in signatures}) < len(signatures):
        other = signatures[0].signer
        raise RewardError(f"{signing.name} signs with the key of {other}; two different keys have to sign")
    if not dry_run:
        path.parent.mkdir(exist_ok=True)
        content = {"entries": statements, "signatures": [asdict(signature) for signature in signatures]}
        write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return Approval([signature.signer for signature in signatures])


def read_approval(workspace: Workspace, path: Path) -> tuple[list[Statement], list[Signature]]:
    """What a file of `rewards/corrections/` approves, and who signed it, with keys that they have in the registry.

    Raises IntegrityError for a file that is not as it was written.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        statements, signatures = content["entries"], [Signature(**fields) for fields in content["signatures"]]
        subject = canonical_digest(statements)
        if path.stem != subject[:16]:
            raise IntegrityError(f"its entries belong to {subject[:16]}.json")
        for signature in signatures:
            if signature.public not in keys_of(workspace, signature.signer):
                raise IntegrityError(f"{signature.signer} never had the key")
            check_signature(signature.public, signature.signature, subject.encode(), signature.signer)
    except (ValueError, KeyError, TypeError, IntegrityError) as error:
        raise IntegrityError(f"{path}: not what `tribute period` or `tribute pay settle` wrote ({error})") from error
    return statements, signatures


def statement_of(entry: Entry) -> Statement:
    """What is signed of an entry."""
    return {
        "event": entry.event,
        "lines": " ".join(f"{account}={amount}" for account, amount in entry.lines),
        "currency": entry.currency,
        "contributor_id": entry.contributor_id,
        "ref_entry_id": entry.ref_entry_id,
        "reason_code": entry.reason_code,
        "idempotency_key": entry.idempotency_key,
    }


def _own(workspace: Workspace, policy: Policy, signing: Signing, statements: Sequence[Statement]) -> Signature:
    if signing.name not in policy.closers:
        known = ", ".join(policy.closers) or "nobody"
        raise RewardError(f"{signing.name} is not among the policy's closers ({known}); somebody else has to sign")
    public = public_half(signing.key)
    if keys_of(workspace, signing.name)[-1:] != [public]:
        raise RewardError(f"the key given is not the latest of {signing.name}; see `tribute key --help`")
    return Signature(signing.name, public, sign(signing.key, canonical_digest(statements).encode()))


def _others(workspace: Workspace, path: Path, policy: Policy, signing: Signing) -> list[Signature]:
    """The signatures of other closers that earlier commands recorded over the same entries."""
    recorded = read_approval(workspace, path)[1] if path.exists() else []
    return [item for item in recorded if item.signer in policy.closers and item.signer != signing.name]


def _path(rewards: Path, entries: Sequence[Entry]) -> Path:
    return rewards / FOLDER / f"{canonical_digest([statement_of(entry) for entry in entries])[:16]}.json"
