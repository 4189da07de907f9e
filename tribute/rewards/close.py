"""Closes a period, with four eyes: checks everything, then commits by one rename.

The first closer's `close` records a signature over exactly what would be closed (`rewards/.approvals/<period>.json`):
the draft's identity, and through it every file, the policy and the ledger it follows on. A second closer's `close`,
with another key, commits. Whatever changes between the two makes another identity, and the first signature is void.

What is committed is made beside, whole and synced; recovery.py brings it into place, also after a crash.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tribute import months
from tribute.artifacts import Artifact, read_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.files import sync, sync_one, write_json
from tribute.keys import Key, public_half
from tribute.rewards.ledger import ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.recovery import APPROVALS, FOLDER, roll_forward
from tribute.rewards.period import signatures as seal
from tribute.rewards.period.closed import closers_of
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.period.signatures import NEEDED, Signature
from tribute.rewards.policy.published import refuse_unpublished
from tribute.rewards.verification.verify import verified
from tribute.rewards.verification.workspace_checks import verify_ledger
from tribute.strict import parse_json
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Closing:
    """How far a close is: who signed `id`, the manifest's; closed once two have."""

    period: str
    id: str
    signers: Sequence[str]
    closed: bool
    before: bool = False
    """Whether it was closed before it was asked for."""


def close(workspace: Workspace, period: str, signer: str, key: Key, day: str, rehearse: bool = False) -> Closing:
    """Approve a period's draft, or close it where another closer has approved exactly the same.

    `day` is the day of closing. With `rehearse` all is checked and nothing done. Raises RewardError, IntegrityError
    or RegistryError for the first thing that is not right; then nothing has changed.
    """
    with ledger.writing(workspace) as books:
        _check_over(period, books.calendar.check_day(day))
        if period in books.closed:
            return _closed_before(workspace.rewards / period, signer, key)
        books.refuse_period(period)
        draft = _checked_draft(workspace, period, books)
        own = _signature(draft, signer, key)
        before = [approval for approval in approvals(workspace.rewards, draft) if approval.signer != signer]
        if any(approval.public == own.public for approval in before):
            raise RewardError(f"{signer} signs with the key of {before[0].signer}; four eyes need two different keys")
        signatures = [*before, own]
        if rehearse:
            pass
        elif len(signatures) < NEEDED:
            _record(workspace.rewards, draft, signatures)
        else:
            _commit(workspace.rewards, draft, signatures)
    return Closing(period, draft.id, [signature.signer for signature in signatures], len(signatures) >= NEEDED)


def approvals(rewards: Path, draft: Artifact) -> list[Signature]:
    """The signatures over exactly this draft; those over an earlier one are void."""
    path = rewards / APPROVALS / f"{draft.path.name}.json"
    if not path.exists():
        return []
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        signatures = [Signature(**entry) for entry in content["signatures"]] if content["id"] == draft.id else []
        for signature in signatures:
            seal.check_period_signature(draft.identity, signature, str(path))
    except (ValueError, KeyError, TypeError, IntegrityError) as error:
        raise IntegrityError(f"{path}: not what `tribute period close` wrote ({error}); remove it") from error
    return signatures


def is_policy_published(workspace: Workspace, draft: Artifact) -> bool:
    """Is exactly the policy that a draft was made by published?"""
    try:
        refuse_unpublished(workspace, PeriodFolder(draft.path).policy, draft.inputs["policy"])
    except RewardError:
        return False
    return True


def signers(folder: Path) -> list[str]:
    """Who signed a closed period. Raises IntegrityError where the signatures do not hold."""
    return seal.verify_seal(read_artifact(folder))


def _closed_before(folder: Path, signer: str, key: Key) -> Closing:
    """Who closed it may ask again, not knowing whether a crash came before the commit or after it."""
    period = read_artifact(folder)
    signed = signers(folder)
    if signer not in signed or period.identity["config"]["closers"][signer] != public_half(key):
        raise RewardError(f"{folder.name} is closed already; a closed period never changes")
    return Closing(folder.name, period.id, signed, closed=True, before=True)


def _check_over(period: str, day: str) -> None:
    last = months.last_day(period)
    if day <= last:
        raise RewardError(f"{period} is not over on {day}; close it after {last}")


def _checked_draft(workspace: Workspace, period: str, books: Ledger) -> Artifact:
    folder = workspace.rewards / period
    if not folder.exists():
        raise RewardError(f"{period} has no draft yet; make one with `tribute reward CONFIG`")
    read, _ = verified(folder)
    verify_ledger(workspace.rewards, read)
    draft, config, policy = read.artifact, read.config, read.policy
    if config["ledger"] != {"seq": str(len(books.postings)), "head": books.head}:
        raise RewardError(
            f"the ledger has moved on since {folder} was made; make it again with `tribute reward CONFIG`"
        )
    if config.get("calendar", {}) != books.calendar.record:
        raise RewardError(f"the ledger's calendar has changed since {folder} was made; make it again")
    posted = books.of_period(period)
    if read.journal[: len(posted)] != posted:
        raise IntegrityError(f"{folder / 'journal.csv'}: does not begin with what is posted; make the period again")
    refuse_unpublished(workspace, policy, draft.inputs["policy"])
    if len(policy.closers) < NEEDED:
        raise RewardError(
            f"policy {policy.id} {policy.version} names {len(policy.closers)} closers, closing takes {NEEDED}; "
            "publish a version that does"
        )
    if config["closers"] != closers_of(workspace, policy):
        raise RewardError(f"the closers' keys have changed since {folder} was made; make it again")
    return draft


def _signature(draft: Artifact, signer: str, key: Key) -> Signature:
    config = draft.identity["config"]
    if signer not in config["policy"]["closers"]:
        raise RewardError(
            f"{signer} is not among the closers of the policy ({', '.join(config['policy']['closers'])}); "
            "somebody else has to close"
        )
    if config["closers"].get(signer) != public_half(key):
        raise RewardError(f"the key given is not the latest of {signer} in the registry; see `tribute key --help`")
    return seal.sign_period(draft.identity, signer, key)


def _record(rewards: Path, draft: Artifact, signatures: Sequence[Signature]) -> None:
    folder = rewards / APPROVALS
    folder.mkdir(exist_ok=True)
    content = {"id": draft.id, "signatures": [asdict(signature) for signature in signatures]}
    write_json(folder / f"{draft.path.name}.json", content, indent=1)


def _commit(rewards: Path, draft: Artifact, signatures: Sequence[Signature]) -> None:
    period = draft.path.name
    making, closed = rewards / f".closing-{period}", rewards / f".closed-{period}"
    making.mkdir()
    shutil.copytree(draft.path, making / FOLDER)
    shutil.copyfile(draft.path / "journal.csv", making / f"{period}.csv")
    seal.write_seal(making / FOLDER, draft.identity, signatures)
    sync(making)
    making.rename(closed)
    # Else a power cut could keep what is rolled forward and forget the commit that it belongs to.
    sync_one(rewards)
    roll_forward(closed)
