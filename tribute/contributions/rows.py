"""One row of a contribution, what it must be, and its hashes.

Knows nothing of contributors, registries or screening.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from tribute import ids
from tribute.contributions.conversations import transcript
from tribute.contributions.normal_form import NORMAL_FORM, normalise
from tribute.contributions.schema import MESSAGES, SLICE, TOOLS, DatasetSchema
from tribute.strict import parse_json

UNSLICED = "all"
"""The slice of a causal-lm row that names none; a classification row's slice is then its label."""


@dataclass(frozen=True, slots=True)
class Row:
    """A checked row: `line` counts from 1; `target` is the label or the response."""

    line: int
    text: str
    target: str
    slice: str


def text_sha256(text: str, form: int = NORMAL_FORM) -> str:
    """sha256 of the text in a normal form, 64 hex digits: equal for texts that read and look the same."""
    return hashlib.sha256(normalise(text, form).encode()).hexdigest()


def content_sha256(text: str, target: str, form: int = NORMAL_FORM) -> str:
    """sha256 of the RFC 8785 JSON of text and target in a normal form: equal content is a duplicate."""
    return _content_sha256(normalise(text, form), normalise(target, form))


def hashes(text: str, target: str, form: int = NORMAL_FORM) -> tuple[str, str]:
    """`text_sha256` and `content_sha256` of a row, with the text normalised once."""
    plain = normalise(text, form)
    return hashlib.sha256(plain.encode()).hexdigest(), _content_sha256(plain, normalise(target, form))


def _content_sha256(text: str, target: str) -> str:
    # For two strings Python's own encoder writes RFC 8785, many times faster than a general one.
    content = f'{{"input":{encode_basestring(text)},"target":{encode_basestring(target)}}}'
    return hashlib.sha256(content.encode()).hexdigest()


def recorded_rows(path: Path, schema: DatasetSchema) -> Iterator[Row]:
    """The rows of a file that the registry holds; they were checked when they were contributed."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield as_row(number, parse_json(line), schema)


def as_row(line: int, values: Mapping[str, Any], schema: DatasetSchema) -> Row:
    """Checked values as a row."""
    if schema.rows == MESSAGES:
        text, target = transcript(values[MESSAGES], values.get(TOOLS, ()))
    else:
        text, target = (values[column] for column in schema.columns)
    return Row(line, text, target, values.get(SLICE) or (target if schema.labels else UNSLICED))


@dataclass(frozen=True, slots=True)
class ContributedRow:
    """A row, where it came from, and its hashes in one normal form."""

    contribution_id: str
    contributor_id: str
    row: Row
    text_sha256: str
    content_sha256: str

    @property
    def row_id(self) -> str:
        """`<contribution id>:<line>`."""
        return ids.row_id(self.contribution_id, self.row.line)


def contributed(
    contribution_id: str, contributor_id: str, rows: Iterable[Row], form: int = NORMAL_FORM
) -> list[ContributedRow]:
    """Rows with their origin; hashes are computed once, here."""
    return [ContributedRow(contribution_id, contributor_id, row, *hashes(row.text, row.target, form)) for row in rows]


def repeated(rows: Sequence[ContributedRow]) -> Iterator[tuple[ContributedRow, ContributedRow]]:
    """(row, the first row with its content) for every row whose content an earlier row has."""
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.content_sha256, row)
        if canonical is not row:
            yield row, canonical
