"""The closed periods, checked link by link against their sealed manifests."""

from pathlib import Path

from tribute import months
from tribute.artifacts import MANIFEST, SEAL, Artifact, read_artifact
from tribute.digests import file_sha256
from tribute.errors import IntegrityError
from tribute.rewards.ledger.recovery import closed_periods


def sealed_periods(rewards: Path) -> list[str]:
    """The closed periods, earliest first. Raises IntegrityError naming what of them is gone or was changed.

    Cheap enough to be asked before every posting: each month is hashed once, and its manifest has to name that hash,
    the month itself and the manifest before it. The rest of a folder is for `tribute verify`.
    """
    closed, previous = closed_periods(rewards), ""
    for number, period in enumerate(closed):
        if period != (expected := months.shifted(closed[0], number)):
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
        before = months.shifted(period, -1)
        if named and not previous:
            raise seal_missing(rewards, before)
        raise IntegrityError(
            f"{artifact.file(MANIFEST)}: another previous manifest than that of {before}; restore both folders"
        )
    if not month.exists() or file_sha256(month) != artifact.identity["files"]["journal.csv"]:
        raise IntegrityError(f"{month}: not the month that {period} was closed with; restore the file")
    return artifact.id
