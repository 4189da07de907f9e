"""Rows out of a Parquet file, in constant memory whatever it claims to unpack to."""

from collections.abc import Collection, Iterator
from typing import IO, Any

from tribute.contributions.intake.raw import Raw
from tribute.errors import ContributionError

ROW_GROUP_BYTES = 1 << 30
"""A row group may unpack to at most this."""
BATCH = 1024
"""Rows that are unpacked at a time."""
NESTED = ("messages", "conversations", "tools", "history")
"""Columns of chat datasets, which hold lists of turns."""


def parquet_rows(file: IO[bytes], most: int, name: str, columns: Collection[str]) -> Iterator[Raw]:
    """Every row; only `columns` are looked at, all where none is named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        fields = [field for field in table.schema_arrow if not columns or field.name in columns]
        _refuse_columns(table.schema_arrow.names, fields, name)
        _refuse_bomb(table, name)
        # Strings stay dictionaries: a long one that a million rows repeat is in memory once.
        strings = [field.name for field in fields if pa.types.is_string(field.type)]
        table = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False, read_dictionary=strings)
        line = 0
        for batch in table.iter_batches(batch_size=BATCH, columns=[field.name for field in fields]):
            _refuse_long(batch, most, name, line)
            for row in batch.to_pylist():
                line += 1
                yield Raw(line, row)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ContributionError(
            f"{name}: not a Parquet file that can be read to its end ({reason}); download or write it again"
        ) from error


def _refuse_columns(names: list[str], fields: list[Any], name: str) -> None:
    import pyarrow as pa

    for field in fields:
        if names.count(field.name) > 1:
            first = names.index(field.name)
            second = names.index(field.name, first + 1)
            raise ContributionError(
                f"{name}: columns {first + 1} and {second + 1} are both called {field.name!r}; rename or remove one of "
                "them"
            )
        if pa.types.is_nested(field.type) and field.name not in NESTED:
            raise ContributionError(
                f"{name}: column {field.name!r} holds {field.type}; expected plain values. "
                "Map the columns to read with --map; the others are not looked at"
            )


def _refuse_bomb(table: Any, name: str) -> None:
    """Raise where the file's own figures say that it unpacks to too much, before anything is unpacked."""
    for number in range(table.metadata.num_row_groups):
        size = table.metadata.row_group(number).total_byte_size
        if size > ROW_GROUP_BYTES:
            raise ContributionError(
                f"{name}: row group {number + 1} unpacks to {size} bytes, at most {ROW_GROUP_BYTES} are taken; "
                "write smaller row groups"
            )


def _refuse_long(batch: Any, most: int, name: str, line: int) -> None:
    """Raise where a value is longer than any row may be, before Python makes an object of it."""
    import pyarrow.compute as pc

    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        for lengths, unit in _lengths(values):
            longest = pc.max(lengths).as_py() or 0
            if longest > most:
                raise ContributionError(
                    f"{name}:{line + 1}: column {column!r} has a value of {longest} {unit} from this row on, "
                    f"at most {most} are taken; shorten it"
                )


def _lengths(values: Any) -> Iterator[tuple[Any, str]]:
    """The lengths of all values that have one, also inside of lists and objects, and their unit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        values = values.cast(pa.large_binary())
    if _has_length(values.type):
        yield pc.binary_length(values), "bytes"
    elif pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        yield pc.list_value_length(values), "items"
        yield from _lengths(values.flatten())
    elif pa.types.is_struct(values.type):
        for field in values.flatten():
            yield from _lengths(field)


def _has_length(type_: Any) -> bool:
    import pyarrow as pa

    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_type(type_) for is_type in known)
