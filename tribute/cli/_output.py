"""What a command hands to the screen: data for scripts, and the same as text and tables for people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Data = TypeVar("Data", covariant=True)


@dataclass(frozen=True)
class Table:
    """Cells are text; numeric columns are named in `right` and align there."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()


@dataclass(frozen=True)
class Output(Generic[Data]):
    """`data`, an object of JSON, goes out with --json, `lines` and `tables` otherwise."""

    data: Data
    lines: Sequence[str] = ()
    tables: Sequence[Table] = field(default=())
