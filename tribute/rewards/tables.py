"""The columns of a period's tables, and how they are written. Computes no amount.

CSV is UTF-8 without a byte order mark, RFC 4180: comma, quotes only where needed, CRLF after every line.
Rows stand in the order of their table's KEYS. Amounts are integers in minor units; decimals never use an exponent.
No cell of a text column may start with = + - @ or a control character, so a spreadsheet executes nothing.
Parquet is zstd-compressed and carries no pandas metadata. Same rows, same bytes (for one pyarrow version).
"""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.errors import IntegrityError, RewardError

Type = Literal["text", "day", "count", "amount", "decimal", "decimal18"]
"""`count`: an integer below 2^63. `amount`: any other integer, such as minor units or an exact weight. `decimal` and
`decimal18`: up to 12 and 18 digits after the point."""
NUMBERS = ("count", "amount", "decimal", "decimal18")
Columns = Mapping[str, Type]
FORMULAS = frozenset("=+-@\t\r\n")
"""A text that begins with one of these could be run by a spreadsheet."""
ALLOCATION: Columns = {
    "period": "text",
    "pool": "text",
    "contributor_id": "text",
    "payee_ref": "text",
    "currency": "text",
    "exponent": "count",
    "rows_submitted": "count",
    "rows_canonical": "count",
    "rows_excluded": "count",
    "score": "decimal",
    "score_se": "decimal",
    "weight_num": "amount",
    "weight_den": "amount",
    "quota_minor": "decimal",
    "amount_minor": "amount",
    "rounding_minor": "decimal",
    "status": "text",
    "evidence_sha256": "text",
    "score_high": "decimal",
    "rule": "text",
}
"""`score`, `score_se`: nats, or without unit in a pool that pays queries. `score_high`, the upper end of the
interval of the credit on the evaluation set: nats. weight = weight_num / weight_den, exact: in the score's unit by
the rule `credit`, tokens by the rule `tokens`. `quota_minor` is cut (not rounded) to 12 decimals; the exact one
follows from the weights. `rounding_minor` = amount − quota, signed. allocation_table.py writes the rows."""
TOKENS: Columns = {"contributor_id": "text", "tokens": "count"}
"""Training tokens after deduplication; what the rule `tokens` pays by."""
JOURNAL: Columns = {
    "entry_id": "text",
    "seq": "count",
    "posted_at": "day",
    "period": "text",
    "event_type": "text",
    "account": "text",
    "debit_minor": "amount",
    "credit_minor": "amount",
    "currency": "text",
    "contributor_id": "text",
    "ref_entry_id": "text",
    "reason_code": "text",
    "idempotency_key": "text",
    "prev_hash": "text",
    "entry_hash": "text",
}
BALANCES: Columns = {
    "contributor_id": "text",
    "currency": "text",
    "opening": "amount",
    "accrued": "amount",
    "adjusted": "amount",
    "released": "amount",
    "held": "amount",
    "withheld": "amount",
    "paid": "amount",
    "closing": "amount",
}
"""Minor units. `opening` and `closing` are all that is owed: accrued, held and payable, less claims.
opening + accrued + adjusted − withheld − paid = closing. `released` and `held` move nothing of it: they say how
much became payable and how much was held."""
PAYABLES: Columns = {
    "payment_id": "text",
    "payee_ref": "text",
    "currency": "text",
    "exponent": "count",
    "amount_minor": "amount",
    "value_date": "day",
    "end_to_end_id": "text",
    "statement_id": "text",
    "idempotency_key": "text",
    "withheld_minor": "amount",
}
"""`amount_minor` is what the payee gets, `withheld_minor` what is kept back for tax beside it. The PAY entry that
records the payment carries `idempotency_key`, its WITHHOLD entry the same with `/withhold`."""
RECON: Columns = {
    "end_to_end_id": "text",
    "payment_id": "text",
    "statement_id": "text",
    "currency": "text",
    "amount_minor": "amount",
    "expected_minor": "amount",
    "booked_at": "text",
    "outcome": "text",
    "entry_id": "text",
    "bank_reason": "text",
    "kind": "text",
    "bank_message": "text",
    "bank_references": "text",
}
"""One line per answer of a bank. `outcome`: paid, returned, rejected (posted as `entry_id`); the same with `_before`
(posted from an earlier line); pending (nothing to post yet); unknown_payment (somebody else's); second_returned (of a
payment that was paid twice; nothing to post); and those for a person, `payments.outcomes.FOR_A_PERSON`, of which
paid_after_return is posted where `entry_id` says so. A batch that differs stands under its own id.
`bank_references`: the bank's names of the booking, as a query string."""
LEAVES: Columns = {
    "contributor_id": "text",
    "statement_id": "text",
    "salt": "text",
    "leaf_sha256": "text",
}
"""The leaves of the Merkle tree over the statements, in the order of the tree; see leaves.py."""
EXCLUSIONS: Columns = {
    "row_hash": "text",
    "contributor_id": "text",
    "reason_code": "text",
    "cluster_id": "text",
    "canonical_row_hash": "text",
    "canonical_contributor_id": "text",
    "detector": "text",
    "detector_version": "text",
    "similarity": "decimal",
    "threshold": "decimal",
    "decided_at": "day",
}
"""`row_hash`: content_sha256. `cluster_id`: the content_sha256 of the cluster's first row. `decided_at`: the
last day of the period, since no file depends on a clock."""
USAGE_FILE = "usage.csv"
"""The one table that a period may lack."""
USAGE: Columns = {"query": "text", "user": "text", "amount": "decimal18"}
"""What users paid for which query, as it was handed in; `amount` in any unit, up to 18 decimals."""
EVIDENCE = pa.schema(
    [
        ("period", pa.dictionary(pa.int32(), pa.string())),
        ("contributor_id", pa.dictionary(pa.int32(), pa.string())),
        ("row_hash", pa.string()),
        ("dataset_md5", pa.dictionary(pa.int32(), pa.string())),
        ("dataset_tag", pa.dictionary(pa.int32(), pa.string())),
        ("query", pa.dictionary(pa.int32(), pa.string())),
        ("score", pa.decimal128(38, 12)),
        ("cluster_id", pa.string()),
        ("adapter_ids", pa.dictionary(pa.int32(), pa.string())),
    ]
)
"""One line per row and query; `score` is signed credit in nats. A score is the mean over all seeds, so
`adapter_ids` lists every seed's, separated by spaces. The MLflow runs behind them are random ids, so they
stand in the manifest's provenance: same inputs, same bytes."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "allocation": ("pool", "currency", "contributor_id"),
    "journal": ("seq",),
    "balances": ("contributor_id", "currency"),
    "payables": ("payment_id",),
    "tokens": ("contributor_id",),
    "leaves": ("statement_id",),
}
"""The columns that name a row, in each table where rows do not repeat. Rows stand in the order of these texts, column
by column, as `ordered` writes and `in_order` checks it; only the journal's stand as they were posted. Sort by nothing
else: in longer texts ids are ordered otherwise (`python` < `python-dateutil` as ids and as payments, which end in
`-EUR`, but `python:Payable` > `python-dateutil:Payable` as accounts)."""


def key_of(table: str, row: Mapping[str, str]) -> tuple[str, ...]:
    """What a row of a table is named and placed by."""
    return tuple(row[column] for column in KEYS[table])


def ordered(table: str, rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The rows as they stand in the table."""
    return sorted(rows, key=lambda row: key_of(table, row))


def in_order(table: str, rows: Iterable[Mapping[str, str]]) -> bool:
    """Whether rows stand as `ordered` puts them, and none is there twice."""
    return all(before < after for before, after in pairwise(key_of(table, row) for row in rows))


def write_csv(path: Path, columns: Columns, rows: Iterable[Mapping[str, str]]) -> int:
    """Write a table and return its number of rows. Raises RewardError for a cell that could be a formula."""
    rows = list(rows)
    path.write_bytes(csv_bytes(columns, rows, path.name))
    return len(rows)


def csv_bytes(columns: Columns, rows: Iterable[Mapping[str, str]], name: str = "journal") -> bytes:
    """A table as a file's content. Raises RewardError for a cell that could be a formula."""
    rows = list(rows)
    for column in (column for column, kind in columns.items() if kind not in NUMBERS):
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


def read_csv(path: Path, columns: Columns) -> list[dict[str, str]]:
    """Every row of a table as text. Raises IntegrityError if it is missing or has other columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            rows = [dict(zip(header, row, strict=True)) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); make the period again") from error
    if header != list(columns):
        raise IntegrityError(f"{path}: columns {header}, expected {list(columns)}; make the period again")
    return rows


def write_evidence(path: Path, table: Any) -> int:
    """Write evidence.parquet and return its number of rows."""
    pq.write_table(table.cast(EVIDENCE), path, compression="zstd")
    return int(table.num_rows)


def read_evidence(path: Path) -> Any:
    """evidence.parquet as an Arrow table. Raises IntegrityError."""
    try:
        return pq.read_table(path).cast(EVIDENCE)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); make the period again") from error
