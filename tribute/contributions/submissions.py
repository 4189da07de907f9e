"""A file that somebody hands in, and what it must be before the registry looks at it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tribute.contributions.licences import check_licence
from tribute.contributions.rows import iterate_jsonl
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
PREFIX = 31
"""A contribution id is at most 40 characters: so many of the contributor's, a hyphen and 8 hex digits."""


@dataclass(frozen=True)
class Submission:
    """A JSONL file and who hands it in, for which dataset, under which terms."""

    file: Path
    contributor_id: str
    dataset: str
    licence: str
    name: str = ""
    """What people call the contributor or its work, if that may be public."""
    version: str = ""
    home_page: str = ""


@dataclass(frozen=True)
class Checked:
    """A submission that may be recorded: `sha256` is the file's, `id` the contribution's."""

    submission: Submission
    id: str
    licence: str
    rows: int
    sha256: str

    def meta(self) -> bytes:
        """The content of `meta.yaml`."""
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
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def check_id(id_: str, what: str) -> None:
    """Raise ContributionError unless `id_` may name a `what`, and a folder."""
    if not ID.fullmatch(id_):
        raise ContributionError(
            f"{what} id {id_!r}: expected 1 to 40 lower-case letters, digits, hyphens and underscores, "
            "the first a letter or digit"
        )


def check_submission(submission: Submission, schema: DatasetSchema) -> Checked:
    """Read the whole file against the schema. Raises ContributionError for the first fault."""
    check_id(submission.contributor_id, "contributor")
    licence = check_licence(submission.licence, schema.licences, schema.name)
    rows = sum(1 for _ in iterate_jsonl(submission.file, schema))
    content = submission.file.read_bytes()
    id_ = contribution_id(submission.contributor_id, submission.dataset, content)
    return Checked(submission, id_, licence, rows, hashlib.sha256(content).hexdigest())


def contribution_id(contributor_id: str, dataset: str, content: bytes) -> str:
    """The same file from the same contributor for the same dataset has the same id, whenever it comes."""
    # Ids hold no line break, so no two triples run together into the same bytes.
    digest = hashlib.sha256(f"{dataset}\n{contributor_id}\n".encode() + content).hexdigest()
    return f"{contributor_id[:PREFIX]}-{digest[:8]}"


def without_repeats(checked: Sequence[Checked]) -> list[Checked]:
    """The first of each contribution id, in order."""
    return list({one.id: one for one in reversed(checked)}.values())[::-1]
