"""The tables of a period: a class per table, a line per column with its type, exactness and meaning.

Rows stand in the order of their table's key. A new column is a line here and its value where the rows are made.
Parquet is zstd-compressed and carries no pandas metadata. Same rows, same bytes (for one pyarrow version).
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.errors import IntegrityError
from tribute.rewards.table_format import (
    FORMULAS,
    Amount,
    Blank,
    Column,
    Contributor,
    Count,
    Day,
    Exact,
    LaterCount,
    MaybeContributor,
    Measured,
    Minor,
    Table,
    Text,
    csv_bytes,
    read,
    read_csv,
    texts,
    write,
    write_csv,
)

__all__ = [
    "ALLOCATION",
    "BALANCES",
    "EVIDENCE",
    "EXCLUSIONS",
    "FORMULAS",
    "JOURNAL",
    "LEAVES",
    "OPTIONAL",
    "PAYABLES",
    "PAYERS",
    "PAYERS_FILE",
    "RECON",
    "TABLES",
    "TOKENS",
    "USAGE",
    "USAGE_FILE",
    "AllocationRow",
    "Balance",
    "ExclusionRow",
    "JournalRow",
    "LeafRow",
    "PayableRow",
    "PayerRow",
    "ReconRow",
    "TokenRow",
    "UsageRow",
    "csv_bytes",
    "read",
    "read_csv",
    "read_evidence",
    "texts",
    "write",
    "write_csv",
    "write_evidence",
]


class AllocationRow(NamedTuple):
    """What one contributor gets from one pool in one currency."""

    period: Text
    pool: Text
    contributor_id: Contributor
    payee_ref: Text
    currency: Text
    exponent: Count
    rows_submitted: Count
    rows_canonical: Count
    rows_excluded: Count
    score: Exact
    """Nats, or without unit in a pool that pays queries."""
    score_se: Exact
    weight_num: Minor
    """weight = weight_num / weight_den, exact: a part of the pool by the rule `blend`, the score's unit by `credit`,
    tokens by `tokens`."""
    weight_den: Minor
    quota_minor: Exact
    """Cut (not rounded) to 12 decimals; the exact one follows from the weights."""
    amount_minor: Amount
    rounding_minor: Exact
    """amount − quota, signed."""
    status: Text
    evidence_sha256: Text
    score_high: Exact
    """The upper end of the interval of the credit on the evaluation set, nats."""
    rule: Text
    reliability: Measured = None
    """By the rule `blend`: weight = reliability · credit_share + (1 − reliability) · content_share. Other rules leave
    this column and those after it out."""
    credit_share: Measured = None
    """The part of all counted credit, cut to 12 decimals."""
    content: LaterCount = None
    """Distinct word shingles that count: 0 where the whole interval of the credit is below 0."""
    content_share: Measured = None
    """The part of all content that counts, cut to 12 decimals."""


class TokenRow(NamedTuple):
    """Training tokens after deduplication, by which the rule `tokens` pays, and distinct word shingles."""

    contributor_id: Contributor
    tokens: Count
    content: LaterCount = None


class PayerRow(NamedTuple):
    """What one payer's money pays a contributor, in a pool that pays queries; who gets nothing of it has no row."""

    pool: Text
    payer: Text
    """The pseudonym in usage.csv, or without that file the evaluation slice."""
    basis: Text
    """What the money is divided by: `answers`; `evaluation` where no answer's credit exceeds its uncertainty; `content`
    where that of the evaluation does not either."""
    paid: Minor
    """What the payer paid, in units of 1e-18 of the currency."""
    contributor_id: Contributor
    score: Exact
    """Without unit by `answers`, nats by `evaluation`, shingles by `content`; part ∝ score − κ · score_se."""
    score_se: Exact
    part: Minor
    """Of `paid`, by largest remainder."""


class JournalRow(NamedTuple):
    """A line of the journal as the file has it; `ledger.Posting` is the same in memory."""

    entry_id: Text
    seq: Count
    posted_at: Day
    period: Text
    event_type: Text
    account: Text
    debit_minor: Amount
    credit_minor: Amount
    currency: Text
    contributor_id: MaybeContributor
    ref_entry_id: Blank
    reason_code: Blank
    idempotency_key: Text
    prev_hash: Text
    entry_hash: Text


class Balance(NamedTuple):
    """How a contributor stands after a period in one currency, in minor units."""

    contributor_id: Contributor
    currency: Text
    opening: Minor
    """All that is owed: accrued, held and payable, less claims."""
    accrued: Minor
    adjusted: Minor
    released: Minor
    """How much became payable; moves nothing of what is owed."""
    held: Minor
    """How much was held; moves nothing of what is owed."""
    withheld: Minor
    paid: Minor
    closing: Minor

    @property
    def adds_up(self) -> bool:
        """opening + accrued + adjusted − withheld − paid = closing."""
        return self.opening + self.accrued + self.adjusted - self.withheld - self.paid == self.closing


class PayableRow(NamedTuple):
    """A payment that a closed period hands over."""

    payment_id: Text
    payee_ref: Text
    currency: Text
    exponent: Count
    amount_minor: Amount
    """What the payee gets."""
    value_date: Day
    end_to_end_id: Annotated[str, Column(constraints=(("maxLength", 35),))]
    statement_id: Text
    idempotency_key: Text
    """Of the PAY entry that records the payment; its WITHHOLD entry has the same with `/withhold`."""
    withheld_minor: Amount
    """What is kept back for tax beside the amount."""


class ReconRow(NamedTuple):
    """An answer of a bank, and what became of it."""

    end_to_end_id: Text
    payment_id: Text
    statement_id: Text
    currency: Text
    amount_minor: Annotated[int | None, Column("integer", required=False)]
    expected_minor: Annotated[int | None, Column("integer", required=False)]
    booked_at: Text
    outcome: Text
    """paid, returned, rejected (posted as `entry_id`); the same with `_before` (posted from an earlier line); pending
    (nothing to post yet); unknown_payment (somebody else's); second_returned (of a payment that was paid twice; nothing
    to post); and those for a person, `payments.outcomes.FOR_A_PERSON`, of which paid_after_return is posted where
    `entry_id` says so. A batch that differs stands under its own id."""
    entry_id: Text
    bank_reason: Text
    kind: Text
    bank_message: Text
    bank_references: Text
    """The bank's names of the booking, as a query string."""


class LeafRow(NamedTuple):
    """A leaf of the Merkle tree over the statements, in the order of the tree; see leaves.py."""

    contributor_id: Contributor
    statement_id: Text
    salt: Text
    leaf_sha256: Text


class ExclusionRow(NamedTuple):
    """A row that was not counted, and why."""

    row_hash: Blank
    """content_sha256"""
    contributor_id: MaybeContributor
    reason_code: Blank
    cluster_id: Blank
    """The content_sha256 of the cluster's first row."""
    canonical_row_hash: Blank
    canonical_contributor_id: Blank
    detector: Blank
    detector_version: Blank
    similarity: Measured
    threshold: Measured
    decided_at: Annotated[str, Column("date", required=False)]
    """The last day of the period, since no file depends on a clock."""


class UsageRow(NamedTuple):
    """What users paid for which query, as it was handed in."""

    query: Text
    user: Text
    amount: Annotated[Decimal, Column("number", decimals=18)]
    """In any unit, up to 18 decimals."""


ALLOCATION = Table("allocation", AllocationRow, ("pool", "currency", "contributor_id"))
JOURNAL = Table("journal", JournalRow, ("seq",))
BALANCES = Table("balances", Balance, ("contributor_id", "currency"))
PAYABLES = Table("payables", PayableRow, ("payment_id",))
EXCLUSIONS = Table("exclusions", ExclusionRow)
TOKENS = Table("tokens", TokenRow, ("contributor_id",))
PAYERS = Table("payers", PayerRow, ("pool", "payer", "contributor_id"))
LEAVES = Table("leaves", LeafRow, ("statement_id",))
USAGE = Table("usage", UsageRow)
RECON = Table("recon", ReconRow)
TABLES: Mapping[str, Table[Any]] = {
    table.name: table for table in (ALLOCATION, JOURNAL, BALANCES, PAYABLES, EXCLUSIONS, TOKENS, LEAVES, USAGE, PAYERS)
}
"""Every table of a period, by name."""
USAGE_FILE = "usage.csv"
PAYERS_FILE = "payers.csv"
OPTIONAL = ("usage", "payers")
"""The tables that a period may lack."""
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
