"""Rows out of a JSONL, CSV or Parquet file, one at a time and in constant memory.

Knows nothing of datasets: what a value must be is checked by whoever asks. What is wrong with the whole file is
raised; what is wrong with one row is that row's fault.
"""

import csv
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tribute.errors import ContributionError

FORMATS = {".jsonl": "JSONL", ".ndjson": "JSONL", ".csv": "CSV", ".parquet": "Parquet"}
BOM = b"\xef\xbb\xbf"
WIDE = (b"\xff\xfe", b"\xfe\xff")
ROW_GROUP_BYTES = 1 << 30
"""A Parquet row group may unpack to at most this."""
BATCH = 1024
"""Rows of Parquet that are unpacked at a time."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One row as it came: `line` counts from 1 (in Parquet rows); `fault` says why there are no values."""

    line: int
    values: dict[str, Any] | None
    fault: str = ""


def read(path: Path, most: int, name: str | None = None) -> Iterator[Raw]:
    """Every row of a file; its name's ending tells the format, JSONL where it tells nothing.

    `most` is the longest row in bytes. Raises ContributionError for what is wrong with the file, naming it
    `name` (by default its path).
    """
    name = name or str(path)
    format_ = FORMATS.get(path.suffix.lower(), "JSONL")
    reader = {"JSONL": _jsonl, "CSV": _csv, "Parquet": _parquet}[format_]
    empty = True
    try:
        with _opened(path, name) as file:
            for raw in reader(file, most, name):
                empty = False
                yield raw
    except OSError as error:
        raise ContributionError(
            f"{name}: cannot be read ({error.strerror or error}); give the path of a {format_} file"
        ) from error
    if empty:
        expected = "one JSON object a line" if format_ == "JSONL" else "at least one row"
        raise ContributionError(f"{name}: the file is empty; expected {expected}")


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The open file, and not one that somebody's link leads to."""
    if path.is_symlink():
        raise ContributionError(f"{name}: a symbolic link; give the file that it leads to")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ContributionError(f"{name}: cannot be read (not a regular file); give the path of a file of rows")
        yield file


def _lines(file: IO[bytes], most: int, name: str) -> Iterator[bytes]:
    """Lines of at most `most` bytes, the first without its byte-order mark."""
    first = file.readline(most + 1)
    if first.startswith(WIDE):
        raise ContributionError(f"{name}:1: UTF-16 or UTF-32, expected UTF-8; save the file as UTF-8")
    line, number = first.removeprefix(BOM), 1
    while line:
        if len(line) > most:
            raise ContributionError(
                f"{name}:{number}: the line is longer than {most} bytes, the most that a row of this dataset can "
                "take; is there one row a line?"
            )
        yield line
        line, number = file.readline(most + 1), number + 1


def _jsonl(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    for number, line in enumerate(_lines(file, most, name), start=1):
        try:
            value = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Raw(number, None, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8")
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            yield Raw(number, None, f"invalid JSON ({reason}); expected one JSON object a line")
        else:
            is_object = isinstance(value, dict)
            fault = "" if is_object else f"found a JSON {type(value).__name__}, expected an object"
            yield Raw(number, value if is_object else None, fault)


def _csv(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    csv.field_size_limit(most)
    reader = csv.reader(_decoded(file, most, name), strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for fields in reader:
            line, start = start, reader.line_num + 1
            if header is None:
                header = _header(fields, name)
            elif len(fields) != len(header):
                yield Raw(line, None, f"found {len(fields)} fields, the header has {len(header)}; quote commas")
            else:
                yield Raw(line, {column: value for column, value in zip(header, fields, strict=True) if value})
    except csv.Error as error:
        raise ContributionError(f"{name}:{start}: not CSV ({error}); expected commas and double quotes") from error


def _decoded(file: IO[bytes], most: int, name: str) -> Iterator[str]:
    for number, line in enumerate(_lines(file, most, name), start=1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            # Unlike in JSONL the next row's start is not certain any more.
            raise ContributionError(
                f"{name}:{number}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8"
            ) from error


def _header(fields: list[str], name: str) -> list[str]:
    for field in fields:
        if fields.count(field) > 1 or not field.strip():
            raise ContributionError(f"{name}:1: column {field!r} is blank or there twice; each needs a name of its own")
    return fields


def _parquet(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        _refuse_bomb(opened, name)
        # Strings stay dictionaries: a long one that a million rows repeat is in memory once.
        strings = [field.name for field in opened.schema_arrow if pa.types.is_string(field.type)]
        opened = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False, read_dictionary=strings)
        line = 0
        for batch in opened.iter_batches(batch_size=BATCH):
            _refuse_long(batch, most, name, line)
            for row in batch.to_pylist():
                line += 1
                yield Raw(line, {key: value for key, value in row.items() if value is not None})
    except (pa.ArrowException, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ContributionError(
            f"{name}: not a Parquet file that can be read to its end ({said}); get it anew"
        ) from error


def _refuse_bomb(opened: Any, name: str) -> None:
    """Raise where the file's own figures say that it unpacks to too much, before anything is unpacked."""
    import pyarrow as pa

    for field in opened.schema_arrow:
        if pa.types.is_nested(field.type):
            raise ContributionError(f"{name}: column {field.name!r} holds {field.type}; expected plain values")
    for number in range(opened.metadata.num_row_groups):
        size = opened.metadata.row_group(number).total_byte_size
        if size > ROW_GROUP_BYTES:
            raise ContributionError(
                f"{name}: row group {number + 1} unpacks to {size} bytes, at most {ROW_GROUP_BYTES} are taken; "
                "write smaller row groups"
            )


def _refuse_long(batch: Any, most: int, name: str, line: int) -> None:
    """Raise where a value is longer than any row may be, before Python makes an object of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        plain = values.dictionary if pa.types.is_dictionary(values.type) else values
        if pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type) or pa.types.is_binary(plain.type):
            longest = pc.max(pc.binary_length(plain)).as_py() or 0
            if longest > most:
                raise ContributionError(
                    f"{name}:{line + 1}: column {column!r} has a value of {longest} bytes from this row on, "
                    f"at most {most} are taken; shorten it"
                )
