"""What closed periods and the registry say to the next one: seals, policies, manifests, and who may close."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tribute.artifacts import MANIFEST, SEAL, Artifact, file_sha256, read_artifact
from tribute.contributions import Registry, identities
from tribute.errors import IntegrityError
from tribute.rewards import journal
from tribute.rewards.policy import Policy
from tribute.rewards.recovery import closed_periods
from tribute.workspace import Workspace


def sealed_periods(rewards: Path) -> list[str]:
    """The closed periods, earliest first. Raises IntegrityError naming what of them is gone or was changed.

    Cheap enough to be asked before every posting: each month is hashed once, and its manifest has to name that hash,
    the month itself and the manifest before it. The rest of a folder is for `tribute verify`.
    """
    closed, previous = closed_periods(rewards), ""
    for number, period in enumerate(closed):
        if period != (expected := journal.shifted(closed[0], number)):
            raise seal_missing(rewards, expected)
        previous = _check_sealed(rewards, period, previous)
    return closed


def seal_missing(rewards: Path, period: str) -> IntegrityError:
    """The error for a month that was closed, as the months after it or its own postings show, and has no seal."""
    folder = rewards / period
    gone = f"{folder / SEAL}: seal missing" if folder.exists() else f"{folder}: missing"
    return IntegrityError(f"{gone}, though {period} was closed; restore it")


def check_name(period: Artifact) -> None:
    """Raise IntegrityError where a folder of `rewards/` holds another month than its name says."""
    found = period.identity["config"]["period"]
    if found != period.path.name:
        raise IntegrityError(
            f"{period.path / MANIFEST}: of period {found}, expected {period.path.name}; restore the folder"
        )


def _check_sealed(rewards: Path, period: str, previous: str) -> str:
    """Its manifest's id."""
    artifact, month = read_artifact(rewards / period), rewards / "journal" / f"{period}.csv"
    check_name(artifact)
    if (named := artifact.identity["config"]["previous"]) != previous:
        before = journal.shifted(period, -1)
        if named and not previous:
            raise seal_missing(rewards, before)
        raise IntegrityError(
            f"{artifact.file(MANIFEST)}: another previous manifest than that of {before}; restore both folders"
        )
    if not month.exists() or file_sha256(month) != artifact.identity["files"]["journal.csv"]:
        raise IntegrityError(f"{month}: not the month that {period} was closed with; restore the file")
    return artifact.id


def terms_of(rewards: Path, closed: Iterable[str]) -> dict[str, Policy]:
    """Closed period → the policy that it was paid by."""
    return {period: policy_of(read_artifact(rewards / period)) for period in closed}


def policy_of(period: Artifact) -> Policy:
    """The policy that a period was paid by, open or closed."""
    return Policy.model_validate(period.identity["config"]["policy"])


def previous_id(rewards: Path, closed: Sequence[str]) -> str:
    """The id of the last closed period's manifest; empty before the first."""
    return read_artifact(rewards / closed[-1]).id if closed else ""


def closers_of(workspace: Workspace, policy: Policy) -> dict[str, str]:
    """Who may close → the latest public key in the registry; who has none yet is left out."""
    if not policy.closers or not (workspace.registry / ".git").exists():
        return {}
    tree = Registry.open(workspace).snapshot().tree
    keys = {id_: identities.public_keys(tree, id_) for id_ in sorted(policy.closers)}
    return {id_: known[-1] for id_, known in keys.items() if known}
