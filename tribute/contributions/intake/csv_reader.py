"""Rows out of a CSV file, separated by commas, semicolons or tabs: spreadsheets write what their country's are."""

import csv
from collections.abc import Iterator
from itertools import chain
from typing import IO

from tribute.contributions.intake.raw import Raw, lines
from tribute.errors import ContributionError
from tribute.formatting import counted

SEPARATORS = (",", ";", "\t")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
DECLARED = "sep="
"""A first line `sep=;` names the separator: Excel's own way."""


def csv_rows(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    """Every row that is not wholly empty. The first line holds the columns' names."""
    csv.field_size_limit(most)
    text = _decoded(file, most, name)
    first, skipped = next(text, ""), 0
    separator = _separator(first)
    if first.lower().startswith(DECLARED):
        first, skipped = next(text, ""), 1
    reader = csv.reader(chain([first], text), delimiter=separator, strict=True)
    header: list[str] | None = None
    start = 1 + skipped
    try:
        for fields in reader:
            line, start = start, reader.line_num + 1 + skipped
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = _header(fields, f"{name}:{line}")
            elif len(fields) != len(header):
                fault = (
                    f"found {counted(len(fields), 'field')}, the header has {len(header)}; "
                    f"quote fields that hold {NAMES[separator]}"
                )
                yield Raw(line, None, fault)
            else:
                yield Raw(line, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise ContributionError(
            f"{name}:{start}: not CSV ({error}); expected {NAMES[separator]} and double quotes"
        ) from error


def _separator(first: str) -> str:
    """The separator that the first line declares, or that stands in it most often outside quotes; else the comma."""
    declared = first.strip()[len(DECLARED) :]
    if first.lower().startswith(DECLARED) and declared in (*SEPARATORS, "\\t"):
        return "\t" if declared == "\\t" else declared
    outside = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def _decoded(file: IO[bytes], most: int, name: str) -> Iterator[str]:
    for number, line in enumerate(lines(file, most, name), start=1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            # Unlike in JSONL it is not certain any more where the next row begins.
            raise ContributionError(
                f"{name}:{number}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8"
            ) from error


def _header(fields: list[str], where: str) -> list[str]:
    for number, field in enumerate(fields, start=1):
        if not field.strip():
            raise ContributionError(f"{where}: column {number} has no name; give every column a name")
        if fields.index(field) + 1 != number:
            raise ContributionError(
                f"{where}: columns {fields.index(field) + 1} and {number} are both called {field!r}; rename or remove "
                "one of them"
            )
    return fields
