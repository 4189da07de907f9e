"""The lines of exclusions.csv: which rows were not counted, and why. Decides nothing."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tribute.rewards.tables import ExclusionRow, texts


def exclusion_rows(exclusions: Iterable[Mapping[str, Any]], *, decided_at: str) -> list[ExclusionRow]:
    """The lines of exclusions.csv, sorted, from the rows of a dataset's exclusions.parquet."""
    rows = [
        ExclusionRow(
            row_hash=row["content_sha256"],
            contributor_id=row["contributor_id"],
            reason_code=row["reason"],
            cluster_id=row["canonical_content_sha256"] or "",
            canonical_row_hash=row["canonical_content_sha256"] or "",
            canonical_contributor_id=row["canonical_contributor_id"] or "",
            detector=row["detector"] or "",
            detector_version=row["detector_version"] or "",
            similarity=_measured(row["similarity"]),
            threshold=_measured(row["threshold"]),
            decided_at=decided_at,
        )
        for row in exclusions
    ]
    return sorted(rows, key=lambda row: [row.contributor_id, row.row_hash, *texts(row).values()])


def _measured(value: float | None) -> Decimal | None:
    """With 6 decimals; None where a detector has none."""
    return None if value is None or math.isnan(value) else Decimal(f"{value:.6f}")
