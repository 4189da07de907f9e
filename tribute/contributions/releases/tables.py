"""The Parquet tables of a dataset version: fixed schemas and options, so that equal rows give equal bytes."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact
from tribute.contributions.dataset import Part, read_rows
from tribute.contributions.rows import ContributedRow, Row
from tribute.contributions.screening.findings import DETECTOR_VERSION, Finding

ROWS = (
    "row_id",
    "contribution_id",
    "contributor_id",
    "text",
    "target",
    "slice",
    "text_sha256",
    "content_sha256",
)
EXCLUSIONS = (
    "row_id",
    "contribution_id",
    "contributor_id",
    "reason",
    "canonical_row_id",
    "canonical_contributor_id",
    "similarity",
    "threshold",
    "text_sha256",
    "content_sha256",
    "canonical_content_sha256",
    "detector",
    "detector_version",
    "evidence",
)
NUMBERS = ("similarity", "threshold")


def write_rows(path: Path, rows: Sequence[ContributedRow]) -> None:
    """Write `train.parquet` or `evaluation.parquet`."""
    _write(path, ROWS, [_row(row) for row in rows])


def write_exclusions(path: Path, exclusions: Sequence[Finding]) -> None:
    """Write `exclusions.parquet`."""
    _write(path, EXCLUSIONS, [_exclusion(exclusion) for exclusion in exclusions])


def excluded_ids(path: Path) -> set[str]:
    """The row ids in an `exclusions.parquet`."""
    import pyarrow.parquet as pq

    return set(pq.read_table(path, columns=["row_id"]).column("row_id").to_pylist())


def leave_out(tables: Path, exclusions: Path, folder: Path) -> None:
    """Write `train.parquet` and `exclusions.parquet` of `tables` to `folder`, with further rows left out."""
    import pyarrow.parquet as pq

    rows, before, more = (
        pq.read_table(path).to_pylist() for path in (tables / "train.parquet", tables / exclusions.name, exclusions)
    )
    out = {row["row_id"] for row in more}
    _write(folder / "train.parquet", ROWS, [row for row in rows if row["row_id"] not in out])
    _write(folder / exclusions.name, EXCLUSIONS, [*before, *more])


def keep_rows(table: Path, path: Path, out: Collection[str]) -> None:
    """Write `train.parquet` or `evaluation.parquet` again without the row ids `out`."""
    import pyarrow.parquet as pq

    _write(path, ROWS, [row for row in pq.read_table(table).to_pylist() if row["row_id"] not in out])


def contributed_rows(dataset: Artifact, part: Part) -> list[ContributedRow]:
    """The rows of a version's tables as screening takes them."""
    return [
        ContributedRow(
            row.contribution_id,
            row.contributor_id,
            Row(int(row.row_id.rpartition(":")[2]), row.text, row.target, row.slice),
            row.text_sha256,
            row.content_sha256,
        )
        for row in read_rows(dataset, part).itertuples()
    ]


def _row(row: ContributedRow) -> dict[str, Any]:
    return {
        "row_id": row.row_id,
        "contribution_id": row.contribution_id,
        "contributor_id": row.contributor_id,
        "text": row.row.text,
        "target": row.row.target,
        "slice": row.row.slice,
        "text_sha256": row.text_sha256,
        "content_sha256": row.content_sha256,
    }


def _exclusion(finding: Finding) -> dict[str, Any]:
    return {
        "row_id": finding.row.row_id,
        "contribution_id": finding.row.contribution_id,
        "contributor_id": finding.row.contributor_id,
        "reason": finding.reason,
        "canonical_row_id": finding.canonical.row_id if finding.canonical else "",
        "canonical_contributor_id": finding.canonical.contributor_id if finding.canonical else "",
        "similarity": finding.similarity,
        "threshold": finding.threshold,
        "text_sha256": finding.row.text_sha256,
        "content_sha256": finding.row.content_sha256,
        "canonical_content_sha256": finding.canonical.content_sha256 if finding.canonical else "",
        "detector": finding.detector,
        "detector_version": DETECTOR_VERSION,
        "evidence": finding.evidence,
    }


def _write(path: Path, columns: Sequence[str], records: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [(name, pa.float64() if name in NUMBERS else pa.string()) for name in columns]
    table = pa.Table.from_pylist(list(records), schema=pa.schema(types))
    pq.write_table(table, path, version="2.6", compression="zstd", row_group_size=65_536)
