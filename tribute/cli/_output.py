"""What a command hands to the screen: data for scripts, and the same as text and tables for people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Cells are text; numeric columns are named in `right` and align there."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()


@dataclass(frozen=True)
class Output:
    """`data` goes out with --json, `lines` and `tables` otherwise."""

    data: Any
    lines: Sequence[str] = ()
    tables: Sequence[Table] = field(default=())
