"""The rows of allocation.csv: a column is named and typed in `tables.AllocationRow`, and gets its value here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tribute import formatting, ids
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation
from tribute.rewards.allocation.weights import BlendParts
from tribute.rewards.tables import AllocationRow


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
