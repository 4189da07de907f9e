"""The rows of allocation.csv: a column is named and typed in `tables.ALLOCATION`, and gets its value here."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tribute import formatting, ids
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation


def allocation_rows(period: str, paid: Sequence[PoolAllocation], evidence: Any) -> list[dict[str, str]]:
    """The lines of allocation.csv."""
    digests = evidences.digests(evidence)
    rows = [
        {
            "period": period,
            "pool": allocation.pool,
            "contributor_id": line.contributor_id,
            "payee_ref": ids.payee_ref(line.contributor_id),
            "currency": allocation.currency,
            "exponent": str(exponent(allocation.currency)),
            **_calculated(line),
            "evidence_sha256": digests.get(line.contributor_id, evidences.NO_EVIDENCE),
        }
        for allocation in paid
        for line in allocation.lines
    ]
    return tables.ordered("allocation", rows)


def _calculated(line: AllocationLine) -> dict[str, str]:
    """What the rule made of a contributor's rows, score and tokens."""
    quota = formatting.decimal_floor(line.quota)
    return {
        "rows_submitted": str(line.claim.rows_submitted),
        "rows_canonical": str(line.claim.rows_canonical),
        "rows_excluded": str(line.claim.rows_excluded),
        "score": f"{line.claim.score:f}",
        "score_se": f"{line.claim.score_se:f}",
        "weight_num": str(line.weight.numerator),
        "weight_den": str(line.weight.denominator),
        "quota_minor": f"{quota:f}",
        "amount_minor": str(line.amount),
        "rounding_minor": f"{formatting.decimal_floor(Fraction(line.amount) - Fraction(quota)):f}",
        "status": line.status,
        "score_high": f"{line.claim.score_high:f}",
        "rule": line.rule,
    }
