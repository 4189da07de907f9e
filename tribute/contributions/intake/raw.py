"""One row as it came, and the lines of a file without reading more than a row may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from tribute.errors import ContributionError

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Raw:
    """`line` counts from 1 (in Parquet rows); `fault` says why there are no values."""

    line: int
    values: dict[str, Any] | None
    fault: str = ""


def lines(file: IO[bytes], most: int, name: str) -> Iterator[bytes]:
    """Lines of at most `most` bytes, the first without its byte-order mark."""
    line, number = file.readline(most + 1).removeprefix(BOM), 1
    while line:
        if len(line) > most:
            raise ContributionError(
                f"{name}:{number}: the line is longer than {most} bytes, the most that a row of this dataset can "
                "take; write one row per line"
            )
        yield line
        line, number = file.readline(most + 1), number + 1
