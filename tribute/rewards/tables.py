"""The columns of a period's tables, and how they are written. Computes no amount.

CSV is UTF-8 without a byte order mark, RFC 4180: comma, quotes only where needed, CRLF after every line.
Rows come sorted from the caller. Amounts are integers in minor units; decimals never use an exponent.
No cell of a text column may start with = + - @ or a control character, so a spreadsheet executes nothing.
Parquet is zstd-compressed and carries no pandas metadata. Same rows, same bytes (for one pyarrow version).
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.errors import IntegrityError, RewardError
from tribute.money import exponent
from tribute.rewards.allocation import Line

Columns = Mapping[str, Literal["text", "number"]]

ALLOCATION: Columns = {
    "period": "text",
    "pool": "text",
    "contributor_id": "text",
    "payee_ref": "text",
    "currency": "text",
    "exponent": "number",
    "rows_submitted": "number",
    "rows_canonical": "number",
    "rows_excluded": "number",
    "score": "number",
    "score_se": "number",
    "weight_num": "number",
    "weight_den": "number",
    "quota_minor": "number",
    "amount_minor": "number",
    "rounding_minor": "number",
    "status": "text",
    "evidence_sha256": "text",
    "score_high": "number",
    "rule": "text",
}
"""`score`, `score_se`, `score_high` (the upper end of the score's interval): nats. weight = weight_num /
weight_den, exact: nats by the rule `credit`, tokens by the rule `tokens`. `quota_minor` is cut (not rounded) to
12 decimals; the exact one follows from the weights. `rounding_minor` = amount − quota, signed."""

TOKENS: Columns = {"contributor_id": "text", "tokens": "number"}
"""Training tokens after deduplication; what the rule `tokens` pays by."""

JOURNAL: Columns = {
    "entry_id": "text",
    "seq": "number",
    "posted_at": "text",
    "period": "text",
    "event_type": "text",
    "account": "text",
    "debit_minor": "number",
    "credit_minor": "number",
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
    "opening": "number",
    "accrued": "number",
    "adjusted": "number",
    "released": "number",
    "held": "number",
    "withheld": "number",
    "paid": "number",
    "closing": "number",
}
"""Minor units. `opening` and `closing` are all that is owed: accrued, held and payable, less claims.
opening + accrued + adjusted − withheld − paid = closing. `released` and `held` move nothing of it: they say how
much became payable and how much was held."""

PAYABLES: Columns = {
    "payment_id": "text",
    "payee_ref": "text",
    "currency": "text",
    "exponent": "number",
    "amount_minor": "number",
    "value_date": "text",
    "end_to_end_id": "text",
    "statement_id": "text",
    "idempotency_key": "text",
    "withheld_minor": "number",
}
"""`amount_minor` is what the payee gets, `withheld_minor` what is kept back for tax beside it. The PAY entry that
records the payment carries `idempotency_key`, its WITHHOLD entry the same with `/withhold`."""

RECON: Columns = {
    "end_to_end_id": "text",
    "payment_id": "text",
    "statement_id": "text",
    "currency": "text",
    "amount_minor": "number",
    "expected_minor": "number",
    "booked_at": "text",
    "outcome": "text",
    "entry_id": "text",
    "bank_reason": "text",
    "kind": "text",
    "bank_message": "text",
}
"""One line per answer of a bank. `outcome`: paid, returned, rejected (posted as `entry_id`); the same with `_before`
(posted from an earlier line); pending (nothing to post yet); unknown_payment, amount_differs, returned_unpaid (for a
person to look at)."""

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
    "similarity": "number",
    "threshold": "number",
    "decided_at": "text",
}
"""`row_hash`: content_sha256. `cluster_id`: the content_sha256 of the cluster's first row. `decided_at`: the
last day of the period, since no file depends on a clock."""

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


PAYEE = "payee:"


def payee_ref(contributor_id: str) -> str:
    """What stands for a payee outside the vault, which alone knows the bank account behind it."""
    return PAYEE + contributor_id


def allocation_row(line: Line, *, period: str, pool_name: str, currency: str, evidence_sha256: str) -> dict[str, str]:
    """One line of allocation.csv."""
    quota = decimal_floor(line.quota)
    return {
        "period": period,
        "pool": pool_name,
        "contributor_id": line.contributor_id,
        "payee_ref": payee_ref(line.contributor_id),
        "currency": currency,
        "exponent": str(exponent(currency)),
        "rows_submitted": str(line.claim.rows_submitted),
        "rows_canonical": str(line.claim.rows_canonical),
        "rows_excluded": str(line.claim.rows_excluded),
        "score": f"{line.claim.score:f}",
        "score_se": f"{line.claim.score_se:f}",
        "weight_num": str(line.weight.numerator),
        "weight_den": str(line.weight.denominator),
        "quota_minor": f"{quota:f}",
        "amount_minor": str(line.amount),
        "rounding_minor": f"{decimal_floor(Fraction(line.amount) - Fraction(quota)):f}",
        "status": line.status,
        "evidence_sha256": evidence_sha256,
        "score_high": f"{line.claim.score_high:f}",
        "rule": line.rule,
    }


def exclusion_rows(exclusions: Iterable[Mapping[str, Any]], *, decided_at: str) -> list[dict[str, str]]:
    """The lines of exclusions.csv, sorted, from the rows of a dataset's exclusions.parquet."""
    rows = [
        {
            "row_hash": row["content_sha256"],
            "contributor_id": row["contributor_id"],
            "reason_code": row["reason"],
            "cluster_id": row["canonical_content_sha256"] or "",
            "canonical_row_hash": row["canonical_content_sha256"] or "",
            "canonical_contributor_id": row["canonical_contributor_id"] or "",
            "detector": row["detector"] or "",
            "detector_version": row["detector_version"] or "",
            "similarity": _measured(row["similarity"]),
            "threshold": _measured(row["threshold"]),
            "decided_at": decided_at,
        }
        for row in exclusions
    ]
    return sorted(rows, key=lambda row: [row["contributor_id"], row["row_hash"], *row.values()])


def control_totals(
    allocation: Iterable[Mapping[str, str]],
    entries: Iterable[Mapping[str, str]],
    *,
    pool: int,
    currency: str,
    rows: Mapping[str, int],
) -> dict[str, Any]:
    """control.json: totals per currency in minor units, as text (JSON numbers are floats); rows per table."""
    entries = list(entries)
    return {
        "totals": {
            currency: {
                "pool_minor": str(pool),
                "lines_minor": str(sum(int(row["amount_minor"]) for row in allocation)),
                "debit_minor": str(sum(int(row["debit_minor"]) for row in entries)),
                "credit_minor": str(sum(int(row["credit_minor"]) for row in entries)),
            }
        },
        "rows": dict(rows),
    }


def decimal_floor(value: Fraction) -> Decimal:
    """A rational cut down to 12 decimals, so that its whole part is never rounded up."""
    steps = value.numerator * 10**12 // value.denominator
    return Decimal((steps < 0, tuple(int(digit) for digit in str(abs(steps))), -12))


def write_csv(path: Path, columns: Columns, rows: Iterable[Mapping[str, str]]) -> int:
    """Write a table and return its number of rows. Raises RewardError for a cell that could be a formula."""
    rows = list(rows)
    path.write_bytes(csv_bytes(columns, rows, path.name))
    return len(rows)


def csv_bytes(columns: Columns, rows: Iterable[Mapping[str, str]], name: str = "journal") -> bytes:
    """A table as a file's content. Raises RewardError for a cell that could be a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    cells = [column for column, kind in columns.items() if kind == "text"]
    for row in rows:
        for column in cells:
            if row[column].startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
                raise RewardError(
                    f"{name}: {column} {row[column]!r} could be run as a formula by a spreadsheet; "
                    "expected a value that does not start with = + - @, so rename it at its source"
                )
        writer.writerow([row[column] for column in columns])
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


def _measured(value: float | None) -> str:
    """A similarity or threshold with 6 decimals; empty where a detector has none."""
    return "" if value is None or math.isnan(value) else f"{value:.6f}"
