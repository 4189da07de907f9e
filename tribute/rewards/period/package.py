"""What lies beside a period's CSV tables so that other programs read them rightly: types, twins, exports, leaves.

    <table>.parquet     the twin of each table, same rows, in exact types (integers, decimals, days)
    leaves.csv          the leaves of the Merkle tree over the statements, see leaves.py
    journal.beancount   the journal for beancount and
    journal.hledger     for hledger, see exports.py
    datapackage.json    a Frictionless data package that types every table (specs.frictionlessdata.io)

All of it follows from the tables and the evidence, so the same tables give the same bytes (for one pyarrow).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from tribute.digests import file_sha256
from tribute.files import json_bytes
from tribute.rewards import tables
from tribute.rewards.ledger import exports, journal
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.period import leaves
from tribute.rewards.tables import TABLES, AllocationRow, Balance, PayableRow
from tribute.rewards.tables.table_format import Column

DATAPACKAGE = "datapackage.json"
LEAVES_FILE = "leaves.csv"
TOTALS = ("allocated_minor", "debit_minor", "credit_minor", "closing_minor", "payable_minor", "withheld_minor")
"""The manifest's control totals."""


def finish(folder: Path, period: str) -> dict[str, Any]:
    """Complete a folder whose tables and evidence are written; returns `rows, control, merkle` for its manifest.

    `rows`: rows of every table. `control`: totals per currency in minor units, as text. `merkle`: root and size.
    """
    allocation = tables.read(folder / "allocation.csv", tables.ALLOCATION)
    balances = tables.read(folder / "balances.csv", tables.BALANCES)
    payables = tables.read(folder / "payables.csv", tables.PAYABLES)
    postings = journal.read_journal(folder / "journal.csv")
    statements = leaves.figures(period, allocation, balances)
    leaf_rows = leaves.leaf_rows(statements.values(), leaves.salt_key(folder / "evidence.parquet"))
    tables.write(folder / LEAVES_FILE, tables.LEAVES, leaf_rows)
    names = names_of(folder)
    for name in names:
        write_twin(folder / f"{name}.csv")
    for name, export in exports.EXPORTS.items():
        (folder / name).write_text(export(postings), encoding="utf-8")
    (folder / DATAPACKAGE).write_bytes(datapackage(folder, period))
    rows = {f"{name}.csv": len(tables.read_csv(folder / f"{name}.csv", TABLES[name])) for name in names}
    rows["evidence.parquet"] = pq.read_metadata(folder / "evidence.parquet").num_rows
    return {
        "rows": rows,
        "control": control_totals(allocation, postings, balances, payables),
        "merkle": {"root": leaves.tree(leaf_rows).root.hex(), "size": len(leaf_rows)},
    }


def names_of(folder: Path) -> list[str]:
    """The tables of a period's folder: all, but `usage` and `payers` only where they are there."""
    return [name for name in TABLES if name not in tables.OPTIONAL or (folder / f"{name}.csv").exists()]


def control_totals(
    allocation: Iterable[AllocationRow],
    postings: Iterable[Posting],
    balances: Iterable[Balance],
    payables: Sequence[PayableRow],
) -> dict[str, dict[str, str]]:
    """Currency → sums over the tables in minor units, as text (JSON numbers are floats)."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for line in allocation:
        sums[line.currency]["allocated_minor"] += line.amount_minor
    for posting in postings:
        sums[posting.currency]["debit_minor"] += max(posting.amount, 0)
        sums[posting.currency]["credit_minor"] += max(posting.credit, 0)
    for balance in balances:
        sums[balance.currency]["closing_minor"] += balance.closing
    for payable in payables:
        sums[payable.currency]["payable_minor"] += payable.amount_minor
        sums[payable.currency]["withheld_minor"] += payable.withheld_minor
    return {currency: {total: str(own[total]) for total in TOTALS} for currency, own in sorted(sums.items())}


def twin(path: Path) -> pa.Table:
    """A table in exact types. Columns with amounts of more than 38 digits become decimal256."""
    columns, content = _columns(path), path.read_bytes()
    types = {name: column.arrow for name, column in columns.items()}
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
    table = TABLES[path.stem]
    schema: dict[str, Any] = {"fields": [_field(name, column) for name, column in _columns(path).items()]}
    if table.key:
        schema["primaryKey"] = list(table.key)
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


def _columns(path: Path) -> Mapping[str, Column]:
    with path.open(encoding="utf-8", newline="") as file:
        return TABLES[path.stem].written(file.readline().strip().split(","))


def _field(name: str, column: Column) -> dict[str, Any]:
    constraints = ({"required": True} if column.required else {}) | dict(column.constraints)
    return {"name": name, "type": column.type} | ({"constraints": constraints} if constraints else {})


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
