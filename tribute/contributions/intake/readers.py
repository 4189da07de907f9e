"""Rows out of a JSONL, JSON, CSV or Parquet file, one at a time and in constant memory.

Knows nothing of datasets: what a value must be is checked by whoever asks. What is wrong with the whole file is
raised; what is wrong with one row is that row's fault.
"""

import io
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import IO, cast

from tribute.contributions.intake.csv_reader import csv_rows
from tribute.contributions.intake.file_signatures import HEAD, PARQUET, is_utf16, refuse_carriage_returns, refuse_other
from tribute.contributions.intake.parquet_reader import parquet_rows
from tribute.contributions.intake.raw import Raw, lines
from tribute.errors import ContributionError
from tribute.strict import DECODER, parse_json

FORMATS = {
    ".jsonl": "JSONL",
    ".ndjson": "JSONL",
    ".json": "JSONL",
    ".csv": "CSV",
    ".tsv": "CSV",
    ".tab": "CSV",
    ".parquet": "Parquet",
}
"""A name's ending → the format. An array is read as one whatever the ending is."""
CHUNK = 1 << 16
"""Characters of a JSON array that are read at a time."""
BLANKS = " \t\r\n"


def read(path: Path, most: int, name: str | None = None, columns: Collection[str] = ()) -> Iterator[Raw]:
    """Every row of a file; its name's ending tells the format, JSONL where it tells nothing.

    `most` is the longest row in bytes. Of Parquet only `columns` are read; none named means all. Raises
    ContributionError for what is wrong with the file, naming it `name` (by default its path).
    """
    name = name or str(path)
    format_ = FORMATS.get(path.suffix.lower(), "JSONL")
    is_empty = True
    try:
        with _opened(path, name) as file:
            for raw in _rows(file, format_, most, name, columns):
                is_empty = False
                yield raw
    except OSError as error:
        raise ContributionError(
            f"{name}: cannot be read ({error.strerror or error}); give the path of a {format_} file"
        ) from error
    if is_empty:
        expected = "one JSON object per line" if format_ == "JSONL" else "at least one row"
        raise ContributionError(f"{name}: the file is empty; expected {expected}")


def _rows(file: IO[bytes], format_: str, most: int, name: str, columns: Collection[str]) -> Iterator[Raw]:
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(PARQUET) or format_ == "Parquet":
        refuse_other(head, name)
        return parquet_rows(file, most, name, columns)
    refuse_other(head, name)
    text = _utf8(file, name) if is_utf16(head) else file
    if not is_utf16(head):
        refuse_carriage_returns(head, name)
    if format_ == "CSV":
        return csv_rows(text, most, name)
    start = head.decode("utf-16" if is_utf16(head) else "utf-8-sig", "ignore").lstrip(BLANKS)
    return _array(text, most, name) if start.startswith("[") else _jsonl(text, most, name)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The open file, which is no symbolic link: that could lead anywhere."""
    if path.is_symlink():
        raise ContributionError(f"{name}: a symbolic link; give the file that it leads to")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ContributionError(f"{name}: cannot be read (not a regular file); give the path of a file of rows")
        yield file


class _Transcoded(io.RawIOBase):
    """A text file as UTF-8 bytes, in constant memory."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self._text, self._name, self._rest = text, name, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._rest:
            try:
                self._rest = self._text.read(len(buffer) // 4 or 1).encode()
            except UnicodeError as error:
                raise ContributionError(f"{self._name}: not UTF-16 to its end; save the file as UTF-8") from error
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _utf8(file: IO[bytes], name: str) -> IO[bytes]:
    """A UTF-16 file's content as UTF-8."""
    text = io.TextIOWrapper(file, encoding="utf-16", newline="")
    return io.BufferedReader(cast("io.RawIOBase", _Transcoded(text, name)), CHUNK)


def _jsonl(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    for number, line in enumerate(lines(file, most, name), start=1):
        if line.isspace():
            continue
        try:
            value = parse_json(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Raw(number, None, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8")
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, JSONDecodeError) else error
            yield Raw(number, None, f"invalid JSON ({reason}); expected one JSON object per line")
        else:
            yield _object(number, value)


def _object(number: int, value: object) -> Raw:
    if isinstance(value, dict):
        return Raw(number, value)
    return Raw(number, None, f"found a JSON {type(value).__name__}, expected an object")


def _array(file: IO[bytes], most: int, name: str) -> Iterator[Raw]:
    """The elements of one JSON array, at most `most` characters each; a row's number is that of its first line."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    window = _Window(text, most, name)
    window.take("[")
    if window.next() == "]":
        window.take("]")
    else:
        while True:
            window.next()
            number = window.line
            yield _object(number, window.value())
            if window.next() == "]":
                window.take("]")
                break
            window.take(",")
    if window.next():
        raise ContributionError(f"{name}:{window.line}: text after the end of the JSON array; remove it")


class _Window:
    """The part of a JSON text that is being read: grows until the next value is whole."""

    def __init__(self, file: IO[str], most: int, name: str) -> None:
        self._file, self._most, self._name = file, most, name
        self._text, self._place, self.line = "", 0, 1

    def next(self) -> str:
        """The next character that is no white space, without taking it; empty at the end."""
        while True:
            start = self._place
            while self._place < len(self._text) and self._text[self._place] in BLANKS:
                self._place += 1
            self.line += self._text.count("\n", start, self._place)
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        """Go past a character. Raises ContributionError where another one stands."""
        found = self.next()
        if found != character:
            raise ContributionError(
                f"{self._name}:{self.line}: invalid JSON array (found {found or 'the end of the file'!r}, "
                f"expected {character!r}); expected an array of objects"
            )
        self._place += 1

    def value(self) -> object:
        """Go past the next value, and return it. Raises ContributionError where it is none, or too long."""
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._place)
                # A number at the end of the window may go on behind it.
                if end < len(self._text) or not self._more():
                    self.line += self._text.count("\n", self._place, end)
                    self._place = end
                    return value
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._place > self._most:
                    raise ContributionError(
                        f"{self._name}:{self.line}: a row of more than {self._most} characters, the most that a row of "
                        f"this dataset can take, or invalid JSON ({_reason(error)})"
                    ) from error
                if not isinstance(error, JSONDecodeError) or not self._more():
                    raise ContributionError(
                        f"{self._name}:{self.line}: invalid JSON ({_reason(error)}); expected an array of objects"
                    ) from error

    def _more(self) -> bool:
        try:
            chunk = self._file.read(CHUNK)
        except UnicodeDecodeError as error:
            raise ContributionError(f"{self._name}: not UTF-8; save the file as UTF-8") from error
        self._text, self._place = self._text[self._place :] + chunk, 0
        return bool(chunk)


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, JSONDecodeError) else str(error)
