"""One row of a contribution, its hashes, and reading a JSONL file of them.

Knows nothing of contributors, registries or screening.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.artifacts import canonical_digest
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

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
    return canonical_digest({"input": normalise(text), "target": normalise(target)})


def read_jsonl(path: Path, schema: DatasetSchema, name: str | None = None) -> list[Row]:
    """All rows of a file, checked against the schema.

    Raises ContributionError for the first fault, naming `name` (by default the path) and line.
    """
    return list(iterate_jsonl(path, schema, name))


def iterate_jsonl(path: Path, schema: DatasetSchema, name: str | None = None) -> Iterator[Row]:
    """The same one row at a time, in constant memory."""
    name = name or str(path)
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _parse(line, number, schema, f"{name}:{number}")
    except OSError as error:
        raise ContributionError(f"{name}: cannot be read ({error.strerror}); give the path of a JSONL file") from error
    if not number:
        raise ContributionError(f"{name}: the file is empty; expected one JSON object a line")


def _parse(line: bytes, number: int, schema: DatasetSchema, where: str) -> Row:
    values = _columns(_object(line, where), schema, where)
    text, target = (values[column] for column in schema.columns)
    if schema.labels and target not in schema.labels:
        raise ContributionError(
            f"{where}: unknown label {target!r}; dataset {schema.name} knows {_listed(schema.labels)}"
        )
    return Row(number, text, target, values.get("slice") or (target if schema.labels else UNSLICED))


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ContributionError(f"{where}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise ContributionError(f"{where}: invalid JSON ({reason}); expected one JSON object a line") from error
    if not isinstance(value, dict):
        raise ContributionError(f"{where}: found a JSON {type(value).__name__}, expected an object")
    return value


def _columns(found: dict[str, Any], schema: DatasetSchema, where: str) -> dict[str, str]:
    expected = ", ".join(schema.columns)
    for column in schema.columns:
        if column not in found:
            raise ContributionError(f"{where}: missing column {column!r}; expected {expected}")
    for column, value in found.items():
        if column not in (*schema.columns, "slice"):
            raise ContributionError(
                f"{where}: unexpected column {column!r}; expected {expected} and perhaps slice; remove it"
            )
        _check_text(column, value, schema, where)
    return found


def _check_text(column: str, value: Any, schema: DatasetSchema, where: str) -> None:
    if not isinstance(value, str):
        raise ContributionError(f"{where}: column {column!r} holds {type(value).__name__}, expected a string")
    if not value.strip():
        raise ContributionError(f"{where}: column {column!r} is blank; fill it or remove the row")
    if len(value) > schema.max_characters:
        raise ContributionError(
            f"{where}: row too long: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} allows {schema.max_characters}; shorten it"
        )
    # JSON can spell half of a surrogate pair, which no UTF-8 file can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ContributionError(f"{where}: column {column!r} has half a surrogate pair; write the character whole")


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:20])
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"
