"""What lies beside a period's CSV tables so that other programs read them rightly: types, twins, exports, leaves.

    <table>.parquet     the twin of each table, same rows, in exact types (integers, decimals, days)
    leaves.csv          the leaves of the Merkle tree over the statements, see leaves.py
    journal.beancount   the journal for beancount and
    journal.hledger     for hledger, see exports.py
    datapackage.json    a Frictionless data package that types every table (specs.frictionlessdata.io)

All of it follows from the tables and the evidence, so the same tables give the same bytes (for one pyarrow).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from tribute.digests import file_sha256
from tribute.files import json_bytes
from tribute.ids import ID
from tribute.rewards import tables
from tribute.rewards.ledger import exports, journal
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.period import leaves
from tribute.rewards.tables import Columns

DATAPACKAGE = "datapackage.json"
LEAVES_FILE = "leaves.csv"
TABLES: Mapping[str, tuple[Columns, tuple[str, ...]]] = {
    name: (columns, tables.KEYS.get(name, ()))
    for name, columns in {
        "allocation": tables.ALLOCATION,
        "journal": tables.JOURNAL,
        "balances": tables.BALANCES,
        "payables": tables.PAYABLES,
        "exclusions": tables.EXCLUSIONS,
        "tokens": tables.TOKENS,
        "leaves": tables.LEAVES,
        "usage": tables.USAGE,
    }.items()
}
"""Every table of a period: its columns, and those that name a row (empty where rows may repeat)."""

OPTIONAL = {"contributor_id", "ref_entry_id", "reason_code"}
"""Columns of the journal that may be empty."""


def finish(folder: Path, period: str) -> dict[str, Any]:
    """Complete a folder whose tables and evidence are written; returns `rows, control, merkle` for its manifest.

    `rows`: rows of every table. `control`: totals per currency in minor units, as text. `merkle`: root and size.
    """
    names = names_of(folder)
    read = {name: tables.read_csv(folder / f"{name}.csv", TABLES[name][0]) for name in names if name != "leaves"}
    statements = leaves.figures(period, read["allocation"], read["balances"])
    read["leaves"] = leaves.leaf_rows(statements.values(), leaves.salt_key(folder / "evidence.parquet"))
    tables.write_csv(folder / LEAVES_FILE, tables.LEAVES, read["leaves"])
    for name in names:
        write_twin(folder / f"{name}.csv")
    postings = journal.read_journal(folder / "journal.csv")
    for name, export in exports.EXPORTS.items():
        (folder / name).write_text(export(postings), encoding="utf-8")
    (folder / DATAPACKAGE).write_bytes(datapackage(folder, period))
    rows = {f"{name}.csv": len(lines) for name, lines in read.items()}
    rows["evidence.parquet"] = pq.read_metadata(folder / "evidence.parquet").num_rows
    return {
        "rows": rows,
        "control": control_totals(read["allocation"], postings, read["balances"], read["payables"]),
        "merkle": {"root": leaves.tree(read["leaves"]).root.hex(), "size": len(read["leaves"])},
    }


def names_of(folder: Path) -> list[str]:
    """The tables of a period's folder: all, but `usage` only where a file said what queries weigh."""
    return [name for name in TABLES if name != "usage" or (folder / tables.USAGE_FILE).exists()]


def control_totals(
    allocation: Iterable[Mapping[str, str]],
    postings: Iterable[Posting],
    balances: Iterable[Mapping[str, str]],
    payables: Iterable[Mapping[str, str]],
) -> dict[str, dict[str, str]]:
    """Currency → sums over the tables in minor units, as text (JSON numbers are floats)."""
    sums: dict[str, dict[str, int]] = {}
    lines = [posting.texts() for posting in postings]
    parts = (
        ("allocated_minor", allocation, "amount_minor"),
        ("debit_minor", lines, "debit_minor"),
        ("credit_minor", lines, "credit_minor"),
        ("closing_minor", balances, "closing"),
        ("payable_minor", payables, "amount_minor"),
        ("withheld_minor", payables, "withheld_minor"),
    )
    for total, rows, column in parts:
        for row in rows:
            one = sums.setdefault(row["currency"], {name: 0 for name, _, _ in parts})
            one[total] += int(row[column])
    return {currency: {name: str(value) for name, value in one.items()} for currency, one in sorted(sums.items())}


ARROW_TYPES: Mapping[tables.Type, pa.DataType] = {
    "text": pa.string(),
    "day": pa.date32(),
    "count": pa.int64(),
    "amount": pa.decimal128(38, 0),
    "decimal": pa.decimal128(38, 12),
    "decimal18": pa.decimal128(38, 18),
}
"""Type of a column → its Parquet type."""
FRICTIONLESS_TYPES: Mapping[tables.Type, str] = {
    **{"text": "string", "day": "date", "count": "integer"},
    **{"amount": "integer", "decimal": "number", "decimal18": "number"},
}
"""Type of a column → its type in `datapackage.json`."""


def twin(path: Path) -> pa.Table:
    """A table in exact types. Columns with amounts of more than 38 digits become decimal256."""
    columns = TABLES[path.stem][0]
    content = path.read_bytes()
    types = {name: ARROW_TYPES[kind] for name, kind in columns.items()}
    try:
        return _typed(content, types)
    except pa.ArrowInvalid:
        texts = _typed(content, {name: pa.string() for name in columns})
        return pa.table({name: _wide(texts[name], type_) for name, type_ in types.items()})


def write_twin(path: Path) -> None:
    """Write `<table>.parquet` beside `<table>.csv`."""
    pq.write_table(twin(path), path.with_suffix(".parquet"), compression="zstd")


def datapackage(folder: Path, period: str) -> bytes:
    """The descriptor of the tables in a folder: their fields, keys, sizes and hashes."""
    content = {
        "profile": "tabular-data-package",
        "name": f"rewards-{period}",
        "title": f"Rewards of {period}",
        "resources": [_resource(folder / f"{name}.csv") for name in names_of(folder)],
    }
    return json_bytes(content)


def _resource(path: Path) -> dict[str, Any]:
    columns, key = TABLES[path.stem]
    schema: dict[str, Any] = {"fields": [_field(path.stem, name, kind) for name, kind in columns.items()]}
    if key:
        schema["primaryKey"] = list(key)
    return {
        "name": path.stem,
        "path": path.name,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{file_sha256(path)}",
        "schema": schema,
    }


def _field(table: str, name: str, kind: tables.Type) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if table != "exclusions" and not (table == "journal" and name in OPTIONAL):
        constraints["required"] = True
    if name == "contributor_id":
        constraints["pattern"] = f"^{ID}$"
    if name in ("debit_minor", "credit_minor", "amount_minor", "withheld_minor"):
        constraints["minimum"] = 0
    if name == "end_to_end_id":
        constraints["maxLength"] = 35
    return {"name": name, "type": FRICTIONLESS_TYPES[kind]} | ({"constraints": constraints} if constraints else {})


def _typed(content: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    options = arrow_csv.ConvertOptions(column_types=dict(types), null_values=[""], strings_can_be_null=False)
    return arrow_csv.read_csv(BytesIO(content), convert_options=options)


def _wide(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_decimal(type_):
        return column.cast(type_)
    values = [Decimal(text) if text else None for text in column.to_pylist()]
    try:
        return pa.chunked_array([pa.array(values, type_)], type_)
    except pa.ArrowInvalid:
        wide = pa.decimal256(76, type_.scale)
        return pa.chunked_array([pa.array(values, wide)], wide)
