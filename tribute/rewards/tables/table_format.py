"""How a table's columns are typed, and how tables are read and written. Knows no table.

CSV is UTF-8 without a byte order mark, RFC 4180: comma, quotes only where needed, CRLF after every line. Amounts are
integers in minor units; decimals never use an exponent. No cell of a text column may start with = + - @ or a control
character, so a spreadsheet executes nothing.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, get_type_hints

import pyarrow as pa

from tribute.errors import IntegrityError, RewardError
from tribute.ids import ID

FORMULAS = frozenset("=+-@\t\r\n")
"""A text that begins with one of these could be run by a spreadsheet."""
Value = str | int | Decimal | None


@dataclass(frozen=True)
class Column:
    """How a column is typed in memory, in Parquet and in the data package; `required`: no cell may be empty."""

    type: Literal["string", "date", "integer", "number"] = "string"
    required: bool = True
    decimals: int = 0
    """Digits after the point of a `number`."""
    small: bool = False
    """An integer that stays below 2^63; amounts and exact weights may not."""
    constraints: tuple[tuple[str, Any], ...] = ()
    """Further constraints of the data package."""

    @property
    def is_number(self) -> bool:
        """Whether a cell holds a number, so that it may begin with a minus."""
        return self.type in ("integer", "number")

    @property
    def arrow(self) -> pa.DataType:
        """The Parquet type."""
        if self.type == "number":
            return pa.decimal128(38, self.decimals)
        if self.type == "integer":
            return pa.int64() if self.small else pa.decimal128(38, 0)
        return pa.date32() if self.type == "date" else pa.string()

    def parse(self, text: str) -> Value:
        """A cell's value. Raises ValueError or ArithmeticError for a number that is not written as `as_text` does."""
        if not self.is_number:
            return text
        if not text and not self.required:
            return None
        value: int | Decimal = int(text) if self.type == "integer" else Decimal(text)
        if as_text(value) != text:
            raise ValueError(text)
        return value


Text = Annotated[str, Column()]
Blank = Annotated[str, Column(required=False)]
"""A text that may be empty."""
Contributor = Annotated[str, Column(constraints=(("pattern", f"^{ID}$"),))]
MaybeContributor = Annotated[str, Column(required=False, constraints=(("pattern", f"^{ID}$"),))]
Day = Annotated[str, Column("date")]
Count = Annotated[int, Column("integer", small=True)]
Minor = Annotated[int, Column("integer")]
"""Minor units of the row's currency, signed; or an exact integer of any size."""
Amount = Annotated[int, Column("integer", constraints=(("minimum", 0),))]
"""Minor units, 0 or more."""
Exact = Annotated[Decimal, Column("number", decimals=12)]
"""A decimal with up to 12 digits after the point."""
LaterCount = Annotated[int | None, Column("integer", required=False, small=True)]
"""A count that files of earlier versions lack."""
Measured = Annotated[Decimal | None, Column("number", required=False, decimals=12)]
RowT = TypeVar("RowT", bound=NamedTuple)


@dataclass(frozen=True)
class Table(Generic[RowT]):
    """One table: its name, the class of its rows, and the columns that name a row where rows do not repeat.

    Rows stand in the order of the key's texts, column by column, as `ordered` writes and `in_order` checks it; only
    the journal's stand as they were posted. Sort by nothing else: in longer texts ids are ordered otherwise (`python`
    < `python-dateutil` as ids and as payments, which end in `-EUR`, but `python:Payable` > `python-dateutil:Payable`
    as accounts). Iterates over its columns' names.
    """

    name: str
    row: type[RowT]
    key: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Name → column, in their order."""
        hints = get_type_hints(self.row, include_extras=True)
        return {name: hint.__metadata__[0] for name, hint in hints.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    @cached_property
    def first_columns(self) -> list[str]:
        """The columns that every version of the table had; later ones have a default in the row's class."""
        return [name for name in self.columns if name not in self.row._field_defaults]

    def written(self, names: Collection[str]) -> dict[str, Column]:
        """The columns of a file that has only these: files of earlier versions lack the later columns."""
        return {name: column for name, column in self.columns.items() if name in names}

    def parse(self, texts: Mapping[str, str]) -> RowT:
        """A row from the texts of its cells. Raises ValueError for a number that is none."""
        make: Callable[..., RowT] = self.row
        columns = {name: self.columns[name] for name in self.first_columns} | self.written(texts)
        return make(**{name: _parsed(name, texts[name], column) for name, column in columns.items()})

    def ordered(self, rows: Iterable[RowT]) -> list[RowT]:
        """The rows as they stand in the table."""
        return sorted(rows, key=lambda row: tuple(getattr(row, name) for name in self.key))

    def in_order(self, rows: Iterable[RowT]) -> bool:
        """Whether rows stand as `ordered` puts them, and none is there twice."""
        keys = [tuple(getattr(row, name) for name in self.key) for row in rows]
        return all(before < after for before, after in pairwise(keys))


def _parsed(name: str, text: str, column: Column) -> Value:
    try:
        return column.parse(text)
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"{name} {text!r}, expected a plain {column.type}") from error


def as_text(value: Value) -> str:
    """A cell's text: decimals without exponent, nothing for None."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else str(value)


def texts(row: NamedTuple) -> dict[str, str]:
    """Column → text, as it is written and hashed; a later column that the row's file lacked is left out."""
    absent = {name for name in row._field_defaults if getattr(row, name) is None}
    return {name: as_text(value) for name, value in row._asdict().items() if name not in absent}


def read(path: Path, table: Table[RowT]) -> list[RowT]:
    """Every row of a table. Raises IntegrityError naming the file and the line that cannot be read."""
    rows = []
    for number, line in enumerate(read_csv(path, table), start=2):
        try:
            rows.append(table.parse(line))
        except ValueError as error:
            raise IntegrityError(f"{path}: line {number}: {error}; make the period again") from error
    return rows


def write(path: Path, table: Table[RowT], rows: Iterable[RowT]) -> int:
    """Write a table and return its number of rows. Raises RewardError for a cell that could be a formula."""
    return write_csv(path, table, map(texts, rows))


def write_csv(path: Path, table: Table[Any], rows: Iterable[Mapping[str, str]]) -> int:
    """The same from the texts of its cells."""
    rows = list(rows)
    path.write_bytes(csv_bytes(table, rows, path.name))
    return len(rows)


def csv_bytes(table: Table[Any], rows: Iterable[Mapping[str, str]], name: str = "journal") -> bytes:
    """A table as a file's content. Raises RewardError for a cell that could be a formula."""
    rows = list(rows)
    columns = table.written(rows[0]) if rows else table.columns
    for column in (column for column, kind in columns.items() if not kind.is_number):
        if FORMULAS & {row[column][:1] for row in rows}:
            cell = next(row[column] for row in rows if row[column][:1] in FORMULAS)
            raise RewardError(
                f"{name}: {column} {cell!r} could be run as a formula by a spreadsheet; "
                "expected a value that does not start with = + - @, so rename it at its source"
            )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(map(itemgetter(*columns), rows))
    return text.getvalue().encode("utf-8")


def read_csv(path: Path, table: Table[Any]) -> list[dict[str, str]]:
    """Every row of a table as texts. Raises IntegrityError if it is missing or has other columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            rows = [dict(zip(header, row, strict=True)) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); make the period again") from error
    if header not in (list(table), table.first_columns):
        raise IntegrityError(f"{path}: columns {header}, expected {list(table)}; make the period again")
    return rows
