"""The rows of allocation.csv and exclusions.csv: a column is typed in `tables`, and gets its value here."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tribute import formatting, ids
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation
from tribute.rewards.allocation.inputs import with_six_decimals
from tribute.rewards.allocation.weights import BlendParts
from tribute.rewards.tables import AllocationRow, ExclusionRow, texts


def allocation_rows(period: str, pools: Sequence[PoolAllocation], evidence: Any) -> list[AllocationRow]:
    """The lines of allocation.csv."""
    digests = evidences.digests(evidence)
    rows = [_row(period, pool, line, digests) for pool in pools for line in pool.lines]
    return tables.ALLOCATION.ordered(rows)


def blend_columns(parts: BlendParts | None) -> tuple[Decimal | None, Decimal | None, int | None, Decimal | None]:
    """`reliability, credit_share, content, content_share` of a line; None by the other rules."""
    if parts is None:
        return None, None, None, None
    floor = formatting.decimal_floor
    return floor(parts.reliability), floor(parts.credit), parts.counted, floor(parts.content)


def _row(period: str, pool: PoolAllocation, line: AllocationLine, digests: Mapping[str, str]) -> AllocationRow:
    quota = formatting.decimal_floor(line.quota)
    reliability, credit_share, content, content_share = blend_columns(line.parts)
    return AllocationRow(
        period=period,
        pool=pool.pool,
        contributor_id=line.contributor_id,
        payee_ref=ids.payee_ref(line.contributor_id),
        currency=pool.currency,
        exponent=exponent(pool.currency),
        rows_submitted=line.claim.rows_submitted,
        rows_canonical=line.claim.rows_canonical,
        rows_excluded=line.claim.rows_excluded,
        score=line.claim.score,
        score_se=line.claim.score_se,
        weight_num=line.weight.numerator,
        weight_den=line.weight.denominator,
        quota_minor=quota,
        amount_minor=line.amount,
        rounding_minor=formatting.decimal_floor(Fraction(line.amount) - Fraction(quota)),
        status=line.status,
        evidence_sha256=digests.get(line.contributor_id, evidences.NO_EVIDENCE),
        score_high=line.claim.score_high,
        rule=line.rule,
        reliability=reliability,
        credit_share=credit_share,
        content=content,
        content_share=content_share,
    )


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
            similarity=with_six_decimals(row["similarity"]),
            threshold=with_six_decimals(row["threshold"]),
            decided_at=decided_at,
        )
        for row in exclusions
    ]
    return sorted(rows, key=lambda row: [row.contributor_id, row.row_hash, *texts(row).values()])
