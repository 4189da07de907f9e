"""A file that somebody contributes, and what must hold before the registry records it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tribute.contributions.intake.commitments import Opening, check_opening, read_opening
from tribute.contributions.intake.ingest import IntakeResult, ingest
from tribute.contributions.licences import check_licence
from tribute.contributions.schema import DatasetSchema, Format
from tribute.contributions.terms import Terms, refuse_expired
from tribute.errors import ContributionError
from tribute.ids import ID_IN_WORDS, contribution_id, is_id

LOOK_ALIKES = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("_", "-"))


@dataclass(frozen=True)
class Submission:
    """A file of rows and who contributes it, to which dataset, under which licence and terms."""

    file: Path
    contributor_id: str
    dataset: str
    licence: str
    name: str = ""
    """What people call the contributor or its work, if that may be public."""
    version: str = ""
    home_page: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """A column of the schema → the file's name for it; empty: the file has the schema's names."""
    format: Format | None = None
    """How the file writes its rows; None: as the schema says."""
    skip_faulty: bool = False
    """Leave faulty rows out instead of refusing the file."""
    terms: Terms | None = None
    key: Path | None = None
    """The contributor's private key, to sign with."""
    opening: Path | None = None
    """What opens the commitment that these rows keep, see commitments.py."""
    day: str = ""
    """When the rows were first written, YYYY-MM-DD, where their own history says so."""


@dataclass(frozen=True)
class CheckedSubmission:
    """A submission that may be recorded: `sha256` is that of its rows, `id` the contribution's.

    The files of `intake` exist only while the registry works on it.
    """

    submission: Submission
    id: str
    licence: str
    rows: int
    sha256: str
    intake: IntakeResult
    opening: Opening | None = None
    """What opens the commitment that the rows keep."""

    def meta(self) -> dict[str, Any]:
        """The content of `meta.yaml` but for the signature."""
        content = {
            "id": self.id,
            "contributor_id": self.submission.contributor_id,
            "dataset": self.submission.dataset,
            "licence": self.licence,
            "name": self.submission.name or self.submission.contributor_id,
            "version": self.submission.version,
            "home_page": self.submission.home_page,
            "rows": self.rows,
            "sha256": self.sha256,
        }
        further = {
            "rejected": len(self.intake.faults),
            "day": self.submission.day,
            "terms": self.submission.terms.meta() if self.submission.terms else None,
        }
        return content | {key: value for key, value in further.items() if value}


def meta_yaml(meta: Mapping[str, Any]) -> bytes:
    """The text of a `meta.yaml`."""
    return yaml.safe_dump(dict(meta), sort_keys=False, allow_unicode=True).encode()


def check_id(id_: str, what: str) -> None:
    """Raise ContributionError unless `id_` may name a `what`, and a folder."""
    if not is_id(id_):
        raise ContributionError(f"{what} id {id_!r}: expected {ID_IN_WORDS}")


def looks(id_: str) -> str:
    """What an id looks like at a glance: equal for two ids that people could take for each other."""
    for seen, meant in LOOK_ALIKES:
        id_ = id_.replace(seen, meant)
    return id_


def refuse_look_alikes(ids: Sequence[str], known: set[str]) -> None:
    """Raise ContributionError for a new contributor id that people could mistake for another."""
    taken = {looks(known_id): known_id for known_id in sorted(known)}
    for id_ in ids:
        other = taken.setdefault(looks(id_), id_)
        if id_ not in known and other != id_:
            raise ContributionError(f"contributor id {id_!r} looks like {other!r}, which is taken; choose another")


def check_submission(submission: Submission, schema: DatasetSchema, folder: Path, today: date) -> CheckedSubmission:
    """Read the file once into an empty `folder`. Raises ContributionError with what is wrong."""
    check_id(submission.contributor_id, "contributor")
    licence = check_licence(submission.licence, schema.licences, schema.name)
    if submission.terms:
        refuse_expired(submission.terms, today)
    columns, skip_faulty = submission.columns, submission.skip_faulty
    intake = ingest(submission.file, schema, folder, columns, skip_faulty=skip_faulty, format_=submission.format)
    with intake.data.open("rb") as rows:
        id_ = contribution_id(submission.contributor_id, submission.dataset, rows)
    return CheckedSubmission(submission, id_, licence, intake.rows, intake.sha256, intake, _opening(submission, intake))


def _opening(submission: Submission, intake: IntakeResult) -> Opening | None:
    if submission.opening is None:
        return None
    opening = read_opening(submission.opening)
    check_opening(opening, intake.data, submission.opening)
    return opening


def without_repeats(checked: Sequence[CheckedSubmission]) -> list[CheckedSubmission]:
    """The first of each contribution id, in order."""
    return list({submission.id: submission for submission in reversed(checked)}.values())[::-1]
