"""The values of one contributed row, checked against the schema."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from tribute.contributions.intake.readers import read
from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import Row, as_row
from tribute.contributions.schema import SLICE, ColumnType, DatasetSchema
from tribute.errors import ContributionError

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters but tab and line ends
    "\u202a-\u202e\u2066-\u2069"  # these reverse the direction of text: what is shown is not what is stored
    "\U000e0000-\U000e007f\ufff9-\ufffb]"  # these hide a text inside the text
)
FLAGS = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
"""The flag of a region, such as Scotland's: a black flag and the region's code in tag characters."""
TYPES: dict[ColumnType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
TRUTH = {"true": True, "false": False}
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
CHAT = ("messages", "conversations", "conversation")
"""How chat datasets call the column of turns."""


class RowError(ContributionError):
    """Raised when a row is not what the schema asks for; says what and what to do, not where."""


def read_jsonl(path: Path, schema: DatasetSchema, name: str | None = None) -> list[Row]:
    """All rows of a file as it was contributed, checked against the schema.

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


def check_values(values: Mapping[str, Any], schema: DatasetSchema, *, textual: bool = False) -> dict[str, Any]:
    """The values in the order in which rows are kept. Raises RowError for the row's first fault.

    In a `textual` format (CSV) numbers and truth values of further columns are read from their text.
    """
    _check_columns(values, schema)
    checked: dict[str, Any] = {}
    for column in schema.all_columns:
        value = values.get(column)
        if schema.labels and column == schema.columns[1]:
            checked[column] = _checked_label(column, value, schema)
        elif column in schema.columns or (column == SLICE and value not in (None, "")):
            checked[column] = _checked_text(column, value, schema)
        elif column in schema.extra and value not in (None, ""):
            checked[column] = _checked_extra(column, value, schema, textual)
    return checked


def _check_columns(values: Mapping[str, Any], schema: DatasetSchema) -> None:
    expected = ", ".join(schema.columns)
    for column in schema.columns:
        if column in values:
            continue
        if chat := next((name for name in CHAT if name in values), None):
            raise RowError(
                f"column {chat!r} holds chat messages; dataset {schema.name} takes {expected}: write one row per answer"
            )
        present = ", ".join(map(repr, values)) or "no column"
        near = _nearest(column, values)
        hint = f"; map it with --map {column}={near!r}" if near else "; map it with --map, or rename the column"
        raise RowError(f"missing column {column!r}; found {present}; expected {expected}{hint}")
    for column, value in values.items():
        if column not in schema.all_columns and value not in (None, ""):
            others = " and perhaps ".join([expected, ", ".join((SLICE, *schema.extra))])
            raise RowError(
                f"unexpected column {column!r}; expected {others}; remove it, or name the columns to read with --map"
            )


def _checked_label(column: str, value: Any, schema: DatasetSchema) -> str:
    # Labels are often numbers, and JSON and Parquet keep them as such.
    label = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(label, str) and label in schema.labels:
        return label
    text = _checked_text(column, label, schema)
    known = _spellings(schema.labels).get(unicodedata.normalize("NFC", text))
    if known is not None:
        return known
    near = _nearest(text, schema.labels)
    hint = f"; did you mean {near!r}?" if near else f"; dataset {schema.name} has the labels {_listed(schema.labels)}"
    raise RowError(f"unknown label {text!r}{hint}")


@cache
def _spellings(labels: tuple[str, ...]) -> Mapping[str, str]:
    """A label's composed form → the label: accents may be written as characters of their own."""
    return {unicodedata.normalize("NFC", label): label for label in labels}


def _checked_text(column: str, value: Any, schema: DatasetSchema) -> str:
    if value is not None and not isinstance(value, str):
        raise RowError(f"column {column!r} holds {type(value).__name__}, expected a string")
    if value is None or not value.strip() or not (value.isascii() or normalise(value)):
        raise RowError(f"column {column!r} is blank; fill it or remove the row")
    if len(value) > schema.max_characters:
        raise RowError(
            f"row too long: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} allows {schema.max_characters}; shorten it"
        )
    if column == schema.columns[0] and len(value) < schema.min_characters:
        raise RowError(
            f"row too short: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} asks for {schema.min_characters}; lengthen it or remove the row"
        )
    # JSON can spell half of a surrogate pair, which no UTF-8 file can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise RowError(f"column {column!r} has half a surrogate pair; write the character whole")
    if match := HIDDEN.search(FLAGS.sub("", value)):
        name = unicodedata.name(match[0], "a control character")
        raise RowError(f"column {column!r} has the invisible character U+{ord(match[0]):04X} ({name}); remove it")
    return value


def _checked_extra(column: str, value: Any, schema: DatasetSchema, textual: bool) -> Any:
    wanted = schema.extra[column]
    if wanted == "string":
        return _checked_text(column, value, schema)
    if textual:
        value = _read_text(value, wanted)
    # In Python a truth value is a number too.
    if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        shown = f"{value!r}" if isinstance(value, str) else type(value).__name__
        raise RowError(f"column {column!r} holds {shown}, expected {wanted}")
    if isinstance(value, float) and value - value != 0:
        raise RowError(f"column {column!r} holds {value}, expected a finite number")
    return value


def _read_text(value: str, wanted: ColumnType) -> Any:
    """A number or truth value as people write it; any other text as it is."""
    plain = value.strip()
    if wanted == "boolean":
        return TRUTH.get(plain.lower(), value)
    if INTEGER.fullmatch(plain):
        return int(plain)
    return float(plain) if wanted == "number" and NUMBER.fullmatch(plain) else value


def _nearest(text: str, names: Iterable[str]) -> str | None:
    """The name that somebody who wrote `text` most likely meant: the same but for case and blanks, or a slip away."""
    plain = {name.strip().casefold(): name for name in names}
    close = get_close_matches(text.strip().casefold(), plain, n=1, cutoff=0.75)
    return plain[close[0]] if close else None


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:20])
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"
