"""The values of one contributed row, checked against the schema."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tribute.contributions.intake.messages import check_messages
from tribute.contributions.intake.readers import read
from tribute.contributions.intake.texts import RowError, checked_text, nearest
from tribute.contributions.rows import Row, as_row
from tribute.contributions.schema import MESSAGES, SLICE, TOOLS, ColumnType, DatasetSchema, Format
from tribute.errors import ContributionError

TYPES: dict[ColumnType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
TRUTH = {"true": True, "false": False}
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
SIGNS: dict[str, Format] = {
    "messages": "openai",
    "conversations": "sharegpt",
    "conversation": "sharegpt",
    "instruction": "alpaca",
}
"""A column by which a chat dataset's format is known."""


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
    checked = check_messages(values, schema) if schema.rows == MESSAGES else {}
    for column in schema.all_columns:
        value = values.get(column)
        if column in (MESSAGES, TOOLS) and schema.rows == MESSAGES:
            continue
        if schema.labels and column == schema.columns[1]:
            checked[column] = _checked_label(column, value, schema)
        elif column in schema.columns or (column == SLICE and value not in (None, "")):
            checked[column] = checked_text(column, value, schema)
        elif column in schema.extra and value not in (None, ""):
            checked[column] = _checked_extra(column, value, schema, textual)
    return checked


def _check_columns(values: Mapping[str, Any], schema: DatasetSchema) -> None:
    expected = ", ".join(schema.columns)
    for column in schema.columns:
        if column in values:
            continue
        if sign := next((sign for sign in SIGNS if sign in values), None):
            raise RowError(_other_format(sign, schema))
        present = ", ".join(map(repr, values)) or "no column"
        near = nearest(column, values)
        hint = f"; map it with --map {column}={near!r}" if near else "; map it with --map, or rename the column"
        raise RowError(f"missing column {column!r}; found {present}; expected {expected}{hint}")
    for column, value in values.items():
        if column not in schema.all_columns and value not in (None, ""):
            others = " and perhaps ".join([expected, ", ".join((SLICE, *schema.extra))])
            raise RowError(
                f"unexpected column {column!r}; expected {others}; remove it, or name the columns to read with --map"
            )


def _other_format(column: str, schema: DatasetSchema) -> str:
    """What to do with a row that is written in a format of chat datasets."""
    if schema.rows == MESSAGES or (SIGNS[column] == "alpaca" and not schema.labels):
        return f"found the column {column!r} of the format {SIGNS[column]}; read it with --format {SIGNS[column]}"
    expected = ", ".join(schema.columns)
    return (
        f"column {column!r} holds chat messages; dataset {schema.name} takes {expected}: write one row per answer, or "
        "contribute to a dataset whose schema says rows: messages"
    )


def _checked_label(column: str, value: Any, schema: DatasetSchema) -> str:
    # Labels are often numbers, and JSON and Parquet keep them as such.
    label = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(label, str) and label in schema.labels:
        return label
    text = checked_text(column, label, schema)
    known = _spellings(schema.labels).get(unicodedata.normalize("NFC", text))
    if known is not None:
        return known
    near = nearest(text, schema.labels)
    hint = f"; did you mean {near!r}?" if near else f"; dataset {schema.name} has the labels {_listed(schema.labels)}"
    raise RowError(f"unknown label {text!r}{hint}")


@cache
def _spellings(labels: tuple[str, ...]) -> Mapping[str, str]:
    """A label's composed form → the label: accents may be written as characters of their own."""
    return {unicodedata.normalize("NFC", label): label for label in labels}


def _checked_extra(column: str, value: Any, schema: DatasetSchema, textual: bool) -> Any:
    wanted = schema.extra[column]
    if wanted == "string":
        return checked_text(column, value, schema)
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


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:20])
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"
