"""What every pool of a period pays in every currency. Reads no file but that of the usage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tribute.errors import RewardError
from tribute.rewards.allocation import answers, payers, recorded_queries
from tribute.rewards.allocation.allocate import PoolAllocation, Terms, allocate
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.gate import Verdict, judge
from tribute.rewards.allocation.inputs import Sources
from tribute.rewards.allocation.weights import ContributorScore, net
from tribute.rewards.policy.policy import Policy, Pool
from tribute.rewards.tables import PayerRow
from tribute.rewards.usage import queries
from tribute.rewards.usage.queries import Payment, QueryCredits
from tribute.rewards.usage.sealed_usage import SealedUsage


@dataclass(frozen=True)
class PeriodAllocation:
    """What a period pays: the gate's verdict, every pool in every currency in the order of allocation.csv, and the
    lines of payers.csv."""

    verdict: Verdict
    pools: list[PoolAllocation]
    payers: list[PayerRow] = field(default_factory=list)


def allocate_period(
    sources: Sources, policy: Policy, period: str, fundings: Sequence[Funding], usage: Path | SealedUsage | None
) -> PeriodAllocation:
    """Judge the card by the policy's gate and allocate what its pools pay.

    `usage` is a CSV of query, user, amount, or a sealed month.
    """
    if policy.fallback == "content" and sources.content is None:
        raise RewardError(
            f"{sources.card_file.with_name('tokens.parquet')}: no column content, by which policy {policy.id} "
            f"{policy.version} pays; {sources.remedy}"
        )
    verdict = judge(sources.card, policy.gate, policy.fallback)
    terms = Terms(policy.exact_kappa, verdict.rule, verdict.credit_part)
    sealed = usage if isinstance(usage, SealedUsage) else None
    payments = queries.read_usage(usage) if isinstance(usage, Path) else None
    allocation = PeriodAllocation(verdict, [])
    for name, pool in sorted(policy.pools.items()):
        claims = sources.claims()
        if pool.pays == "shares":
            claims = net(claims, sources.payees, terms.kappa, sources.harm)
        elif not pool.by_payers:
            scores = recorded_queries.credit_of_queries(sources.scores, pool, payments, name)
            claims = [_with_score(claim, scores) for claim in claims]
        elif sealed is not None:
            for funding in fundings:
                rows, claims = _metered(sources, terms, sealed, (name, policy), funding)
                allocation.payers.extend(rows)
                lines = allocate(claims, pool=funding.pools[name], terms=terms, period=period)
                allocation.pools.append(PoolAllocation(name, funding.currency, lines))
            continue
        else:
            division = payers.PayerDivision(name, policy.exact_kappa, period, claims, policy.fallback)
            rows = _payer_rows(sources, division, pool, payments)
            parts = payers.by_contributor(rows)
            scores = division.scores()
            claims = [_by_payers(_with_score(claim, scores), parts) for claim in claims]
            allocation.payers.extend(rows)
        for funding in fundings:
            lines = allocate(claims, pool=funding.pools[name], terms=terms, period=period)
            allocation.pools.append(PoolAllocation(name, funding.currency, lines))
    return allocation


def _metered(
    sources: Sources, terms: Terms, sealed: SealedUsage, named: tuple[str, Policy], funding: Funding
) -> tuple[list[PayerRow], list[ContributorScore]]:
    """The lines of payers.csv of one pool and currency, and everybody's claim by them.

    Contributors whom answers name and who are no longer in the dataset have a claim, too: they earned it.
    """
    name, policy = named
    claims = sources.claims()
    division = payers.PayerDivision(name, terms.kappa, sealed.period, claims, policy.fallback)
    evaluation = QueryCredits.of(sources.scores, {name: share.se for name, share in sources.shares.items()})
    rows = answers.payer_rows(sealed, division, funding, evaluation, Fraction(policy.pools[name].beta))
    parts, scores, nothing = payers.by_contributor(rows), division.scores(), payers.NOTHING
    gone = sorted(parts.keys() - {claim.contributor_id for claim in claims})
    claims += [ContributorScore(name, nothing, nothing, 0, 0, 0, nothing, 0) for name in gone]
    return rows, [_by_payers(_with_score(claim, scores), parts) for claim in claims]


def _payer_rows(
    sources: Sources, division: payers.PayerDivision, pool: Pool, payments: Sequence[Payment] | None
) -> list[PayerRow]:
    credits = QueryCredits.of(sources.scores, {name: share.se for name, share in sources.shares.items()})
    baskets = credits.slices() if payments is None else queries.baskets(payments)
    queries.refuse_unknown(baskets, credits, division.pool)
    return division.rows(baskets, credits, Fraction(pool.beta))


def _with_score(claim: ContributorScore, scores: Mapping[str, tuple[Decimal, Decimal]]) -> ContributorScore:
    score, error = scores.get(claim.contributor_id, (payers.NOTHING, payers.NOTHING))
    return replace(claim, score=score, score_se=error)


def _by_payers(claim: ContributorScore, parts: Mapping[str, Fraction]) -> ContributorScore:
    return replace(claim, by_payers=parts.get(claim.contributor_id, Fraction(0)))
