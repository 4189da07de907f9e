"""What every pool of a period pays in every currency, by credit or by tokens. Reads no file but that of the usage."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from tribute.rewards.allocation import queries
from tribute.rewards.allocation.allocate import (
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


def _by_queries(claim: ContributorScore, credits: Mapping[str, tuple[Decimal, Decimal]]) -> ContributorScore:
    score, error = credits.get(claim.contributor_id, (NOTHING, NOTHING))
    return replace(claim, score=score, score_se=error)
