"""What every pool of a period pays in every currency, by credit or by tokens. Reads no file but that of the usage."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tribute import formatting, ids
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation import queries
from tribute.rewards.allocation.allocate import (
    AllocationLine,
    ContributorScore,
    PoolAllocation,
    Rule,
    allocate,
    exact_score,
)
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.inputs import Sources
from tribute.rewards.policy.policy import Policy

NOTHING = exact_score(0.0, "credit", "")
"""The credit of somebody without a score, with all its decimals."""


def allocations(
    sources: Sources, fundings: Sequence[Funding], policy: Policy, usage: Path | None, period: str, rule: Rule
) -> list[PoolAllocation]:
    """What every pool pays in every currency, in the order of allocation.csv."""
    payments = queries.read_usage(usage) if usage else None
    paid = []
    for name, pool in sorted(policy.pools.items()):
        claims = sources.claims()
        if pool.pays == "queries":
            credits = queries.credit_of_queries(sources.scores, pool, payments, name)
            claims = [_by_queries(claim, credits) for claim in claims]
        for funding in fundings:
            lines = allocate(claims, pool=funding.pools[name], kappa=policy.exact_kappa, period=period, rule=rule)
            paid.append(PoolAllocation(name, funding.currency, lines))
    return paid


def allocation_rows(period: str, paid: Sequence[PoolAllocation], evidence: Any) -> list[dict[str, str]]:
    """The lines of allocation.csv."""
    digests = evidences.digests(evidence)
    rows = [
        {
            "period": period,
            "pool": one.pool,
            "contributor_id": line.contributor_id,
            "payee_ref": ids.payee_ref(line.contributor_id),
            "currency": one.currency,
            "exponent": str(exponent(one.currency)),
            **_calculated(line),
            "evidence_sha256": digests.get(line.contributor_id, evidences.NO_EVIDENCE),
        }
        for one in paid
        for line in one.lines
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


def _by_queries(claim: ContributorScore, credits: Mapping[str, tuple[Decimal, Decimal]]) -> ContributorScore:
    score, error = credits.get(claim.contributor_id, (NOTHING, NOTHING))
    return replace(claim, score=score, score_se=error)
