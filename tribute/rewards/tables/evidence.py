"""evidence.parquet: a line per row and query, the rows named by their hashes alone."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.errors import IntegrityError

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
