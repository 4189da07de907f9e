"""The tables of a period: a class per table, a line per column with its type, exactness and meaning.

Rows stand in the order of their table's key. A new column is a line here and its value where the rows are made.
Parquet is zstd-compressed and carries no pandas metadata. Same rows, same bytes (for one pyarrow version).
"""

from collections.abc import Mapping
from typing import Any

from tribute.rewards.tables.allocation_tables import (
    ALLOCATION,
    EXCLUSIONS,
    PAYERS,
    PAYERS_FILE,
    TOKENS,
    USAGE,
    USAGE_FILE,
    AllocationRow,
    ExclusionRow,
    PayerRow,
    TokenRow,
    UsageRow,
)
from tribute.rewards.tables.evidence import EVIDENCE, read_evidence, write_evidence
from tribute.rewards.tables.ledger_tables import (
    BALANCES,
    JOURNAL,
    LEAVES,
    PAYABLES,
    RECON,
    Balance,
    JournalRow,
    LeafRow,
    PayableRow,
    ReconRow,
)
from tribute.rewards.tables.table_format import (
    FORMULAS,
    Table,
    as_text,
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
    "as_text",
    "csv_bytes",
    "read",
    "read_csv",
    "read_evidence",
    "texts",
    "write",
    "write_csv",
    "write_evidence",
]

TABLES: Mapping[str, Table[Any]] = {
    table.name: table for table in (ALLOCATION, JOURNAL, BALANCES, PAYABLES, EXCLUSIONS, TOKENS, LEAVES, USAGE, PAYERS)
}
"""Every table of a period, by name."""
OPTIONAL = ("usage", "payers")
"""The tables that a period may lack."""
