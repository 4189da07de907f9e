"""What every pool of a period pays in every currency, by credit or by tokens. Reads no file but that of the usage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from tribute.rewards.allocation import queries
from tribute.rewards.allocation.allocate import (
    ContributorScore,
    PoolAllocation,
    allocate,
    exact_score,
)
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.gate import Verdict, judge
from tribute.rewards.allocation.inputs import Sources
from tribute.rewards.policy.policy import Policy

NOTHING = exact_score(0.0, "credit", "")
"""The credit of somebody without a score, with all its decimals."""


@dataclass(frozen=True)
class PeriodAllocation:
    """What a period pays: the gate's verdict, and every pool in every currency in the order of allocation.csv."""

    verdict: Verdict
    pools: list[PoolAllocation]


def allocate_period(
    sources: Sources, policy: Policy, period: str, fundings: Sequence[Funding], usage: Path | None
) -> PeriodAllocation:
    """Judge the card by the policy's gate and allocate what its pools pay. `usage` is a CSV of query, user, amount."""
    verdict = judge(sources.card, policy.gate)
    payments = queries.read_usage(usage) if usage else None
    pools = []
    for name, pool in sorted(policy.pools.items()):
        claims = sources.claims()
        if pool.pays == "queries":
            credits = queries.credit_of_queries(sources.scores, pool, payments, name)
            claims = [_by_queries(claim, credits) for claim in claims]
        for funding in fundings:
            lines = allocate(
                claims, pool=funding.pools[name], kappa=policy.exact_kappa, period=period, rule=verdict.rule
            )
            pools.append(PoolAllocation(name, funding.currency, lines))
    return PeriodAllocation(verdict, pools)


def _by_queries(claim: ContributorScore, credits: Mapping[str, tuple[Decimal, Decimal]]) -> ContributorScore:
    score, error = credits.get(claim.contributor_id, (NOTHING, NOTHING))
    return replace(claim, score=score, score_se=error)
