"""The values of one contributed row, checked against the schema."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tribute.contributions.intake.readers import read
from tribute.contributions.rows import Row, as_row
from tribute.contributions.schema import SLICE, ColumnType, DatasetSchema
from tribute.errors import ContributionError

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters but tab and line ends
    "\u202a-\u202e\u2066-\u2069"  # they turn the direction of text round: what is shown is not what is stored
    "\u200b\u2060\ufeff\U000e0000-\U000e007f]"  # they take no room and mean nothing
)
TYPES: dict[ColumnType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
TRUTH = {"true": True, "false": False}


class RowError(ContributionError):
    """Raised when one row is not what the schema asks for; says what and what to do, not where."""


def read_jsonl(path: Path, schema: DatasetSchema, name: str | None = None) -> list[Row]:
    """All rows of a file as it was handed in, checked against the schema.

    Raises ContributionError for the first fault, naming `name` (by default the path) and line.
    """
    name, rows = name or str(path), []
    for raw in read(path, longest_row(schema), name):
        try:
            if raw.values is None:
                raise RowError(raw.fault)
            rows.append(as_row(raw.line, check_values(raw.values, schema), schema))
        except RowError as fault:
            raise ContributionError(f"{name}:{raw.line}: {fault}") from fault
    return rows


def longest_row(schema: DatasetSchema) -> int:
    """Bytes that a row may take in any format: each character escaped as two JSON surrogates, and some room."""
    return 12 * schema.max_characters * (3 + len(schema.extra)) + 4096


def check_values(found: Mapping[str, Any], schema: DatasetSchema, *, textual: bool = False) -> dict[str, Any]:
    """The values in the order in which rows are kept. Raises RowError for the first fault.

    In a `textual` format (CSV) numbers and truth values of further columns are read from their text.
    """
    expected = ", ".join(schema.columns)
    for column in schema.columns:
        if column not in found:
            raise RowError(f"missing column {column!r}; expected {expected}")
    for column in found:
        if column not in schema.all_columns:
            others = " and perhaps ".join([expected, ", ".join((SLICE, *schema.extra))])
            raise RowError(f"unexpected column {column!r}; expected {others}; remove it")
    checked: dict[str, Any] = {}
    for column in schema.all_columns:
        value = found.get(column)
        if column in schema.columns or (column == SLICE and value not in (None, "")):
            checked[column] = _checked_text(column, value, schema)
        elif column in schema.extra and value not in (None, ""):
            checked[column] = _checked_extra(column, value, schema, textual)
    target = checked[schema.columns[1]]
    if schema.labels and target not in schema.labels:
        raise RowError(f"unknown label {target!r}; dataset {schema.name} knows {_listed(schema.labels)}")
    return checked


def _checked_text(column: str, value: Any, schema: DatasetSchema) -> str:
    if not isinstance(value, str):
        raise RowError(f"column {column!r} holds {type(value).__name__}, expected a string")
    if not value.strip():
        raise RowError(f"column {column!r} is blank; fill it or remove the row")
    if len(value) > schema.max_characters:
        raise RowError(
            f"row too long: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} allows {schema.max_characters}; shorten it"
        )
    if column == schema.columns[0] and len(value) < schema.min_characters:
        raise RowError(
            f"row too short: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} asks for {schema.min_characters}; say more or remove the row"
        )
    # JSON can spell half of a surrogate pair, which no UTF-8 file can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise RowError(f"column {column!r} has half a surrogate pair; write the character whole")
    if match := HIDDEN.search(value):
        name = unicodedata.name(match[0], "a control character")
        raise RowError(f"column {column!r} has U+{ord(match[0]):04X} ({name}), which nobody sees; remove it")
    return value


def _checked_extra(column: str, value: Any, schema: DatasetSchema, textual: bool) -> Any:
    wanted = schema.extra[column]
    if wanted == "string":
        return _checked_text(column, value, schema)
    if textual:
        value = _read_text(value, wanted)
    # In Python a truth value is a number too.
    if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        raise RowError(f"column {column!r} holds {type(value).__name__}, expected {wanted}")
    if isinstance(value, float) and value - value != 0:
        raise RowError(f"column {column!r} holds {value}, expected a finite number")
    return value


def _read_text(value: str, wanted: ColumnType) -> Any:
    if wanted == "boolean":
        return TRUTH.get(value.lower(), value)
    for type_ in TYPES[wanted]:
        try:
            return type_(value)
        except ValueError:
            continue
    return value


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:20])
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"
