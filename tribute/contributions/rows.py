"""One row of a contribution, what it must be, and its hashes.

Knows nothing of contributors, registries or screening.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from tribute import ids
from tribute.contributions.schema import SLICE, DatasetSchema

UNSLICED = "all"
"""The slice of a causal-lm row that names none; a classification row's slice is then its label."""


@dataclass(frozen=True, slots=True)
class Row:
    """A checked row: `line` counts from 1; `target` is the label or the response."""

    line: int
    text: str
    target: str
    slice: str

    @property
    def text_sha256(self) -> str:
        """sha256 of the normalised text."""
        return text_sha256(self.text)

    @property
    def content_sha256(self) -> str:
        """sha256 of the normalised text and target together."""
        return content_sha256(self.text, self.target)


def normalise(text: str) -> str:
    """NFKC, casefolded, white space collapsed to single blanks and stripped at both ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def text_sha256(text: str) -> str:
    """sha256 of the normalised text, 64 hex digits: equal for texts that differ in case and spacing only."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()


def content_sha256(text: str, target: str) -> str:
    """sha256 of the RFC 8785 JSON of normalised text and target: equal content is a duplicate."""
    return _content_sha256(normalise(text), normalise(target))


def hashes(text: str, target: str) -> tuple[str, str]:
    """`text_sha256` and `content_sha256` of a row, with the text normalised once."""
    plain = normalise(text)
    return hashlib.sha256(plain.encode()).hexdigest(), _content_sha256(plain, normalise(target))


def _content_sha256(text: str, target: str) -> str:
    # For two strings Python's own encoder writes RFC 8785, many times faster than a general one.
    content = f'{{"input":{encode_basestring(text)},"target":{encode_basestring(target)}}}'
    return hashlib.sha256(content.encode()).hexdigest()


def recorded_rows(path: Path, schema: DatasetSchema) -> Iterator[Row]:
    """The rows of a file that the registry holds: they were checked when they came in."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield as_row(number, json.loads(line), schema)


def as_row(line: int, values: Mapping[str, Any], schema: DatasetSchema) -> Row:
    """Checked values as a row."""
    text, target = (values[column] for column in schema.columns)
    return Row(line, text, target, values.get(SLICE) or (target if schema.labels else UNSLICED))


@dataclass(frozen=True, slots=True)
class ContributedRow:
    """A row and where it came from."""

    contribution_id: str
    contributor_id: str
    row: Row
    text_sha256: str
    content_sha256: str

    @property
    def row_id(self) -> str:
        """`<contribution id>:<line>`."""
        return ids.row_id(self.contribution_id, self.row.line)


def contributed(contribution_id: str, contributor_id: str, rows: Iterable[Row]) -> list[ContributedRow]:
    """Rows with their origin; hashes are computed once, here."""
    return [ContributedRow(contribution_id, contributor_id, row, *hashes(row.text, row.target)) for row in rows]
