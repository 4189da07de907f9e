"""What a contributor counts in a pool: credit and its fallback, and one blend of the two. Exact; divides no money.

For contributor k with credit Z_k, its standard error SE_k and the upper end H_k of its interval on the evaluation set
(nats of its loss, rounded to 12 decimals), D_k distinct word shingles and T_k training tokens after deduplication:

    C_k = max(0, Z_k − κ·SE_k)      credit that counts; where queries pay, what the payers' money says instead
    F_k = D_k, or 0 if H_k < 0      distinct content that counts

    V_k = w · C_k / ΣC + (1 − w) · F_k / ΣF     by the rule `blend`; w from 0 to 1 is the measurement's reliability
    V_k = C_k                                   by the rule `credit`
    V_k = T_k, or 0 if H_k < 0                  by the rule `tokens`, where a gate did not pass

Contributors are clipped at zero one by one, so bad rows under many names are paid where they are lucky and lose nothing
elsewhere. Where the policy nets by payee, the names of one payee, all sums over them, are paid no more than one name:

    C_k · min(1, max(0, ΣZ − B − κ·√ΣSE²) / Σ max(0, Z − κ·SE))     and content only where ΣZ − B + √Σ(H − Z)² ≥ 0

B is what their rows took off the gain that were left out as harmful, nats. It counts against a name without a payee,
too: otherwise whoever is lucky with some bad rows would lose nothing by the others.

Where no credit counts, w is 0; where no content does, w is 1. The rules `credit` and `tokens` belong to policies with
`fallback: tokens`, as all policies had before version 0.2.0.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from tribute.errors import RewardError
from tribute.rewards.tables import AllocationRow
from tribute.rewards.usage.queries import SCORE_STEP

LARGEST_SCORE = 1_000_000
"""Evaluation losses are a few nats; anything of this size is a fault upstream."""
HARMFUL = "harmful"
"""The reason of an excluded row whose harm still counts; its similarity is that harm, nats."""
Rule = Literal["blend", "credit", "tokens"]
"""What a weight is made of."""
BLEND: Rule = "blend"
CREDIT: Rule = "credit"
TOKENS: Rule = "tokens"


@dataclass(frozen=True)
class ContributorScore:
    """What one contributor brings to a period: signed credit in nats and how sure it is, rows, tokens, content.

    `score_high` is the upper end of the credit's interval; `tokens` are those of the canonical rows; `content` are
    their distinct word shingles. `by_payers` is what stands for max(0, Z − κ·SE) where queries pay; `netted` is the
    part of it that is left beside the payee's other names.
    """

    contributor_id: str
    score: Decimal
    score_se: Decimal
    rows_submitted: int
    rows_canonical: int
    rows_excluded: int
    score_high: Decimal
    tokens: int
    content: int = 0
    by_payers: Fraction | None = None
    netted: Fraction = Fraction(1)


@dataclass(frozen=True)
class BlendParts:
    """The three numbers that join to a weight by the rule `blend`: w, C_k / ΣC and F_k / ΣF; and F_k itself."""

    reliability: Fraction
    credit: Fraction
    content: Fraction
    counted: int

    @property
    def weight(self) -> Fraction:
        """w · C_k / ΣC + (1 − w) · F_k / ΣF."""
        return self.reliability * self.credit + (1 - self.reliability) * self.content


def exact_score(value: float, name: str, contributor_id: str) -> Decimal:
    """A float from the attribution, rounded to 12 decimals. Raises RewardError for NaN and infinity."""
    if not abs(value) < LARGEST_SCORE:
        raise RewardError(
            f"{contributor_id}: {name} is {value}, expected a finite number of nats below {LARGEST_SCORE}"
        )
    return Decimal(value).quantize(SCORE_STEP)


def counted_credit(claim: ContributorScore, kappa: Fraction) -> Fraction:
    """C, exactly: max(0, Z − κ·SE) nats, as far as netting leaves it, or what the payers' money says."""
    if claim.by_payers is not None:
        return claim.by_payers
    return claim.netted * max(Fraction(0), Fraction(claim.score) - kappa * Fraction(claim.score_se))


def counted_content(claim: ContributorScore) -> int:
    """F: distinct word shingles, or 0 where the whole interval of the credit is below 0."""
    return 0 if claim.score_high < 0 else claim.content


def harm_by_name(exclusions: Iterable[tuple[str, str, Decimal | None]]) -> dict[str, Decimal]:
    """Contributor → B, nats, from the contributor, reason and similarity of every line of exclusions.csv."""
    harm: dict[str, Decimal] = {}
    for name, reason, nats in exclusions:
        if reason == HARMFUL and nats is not None:
            harm[name] = harm.get(name, Decimal(0)) + nats
    return harm


def net(
    claims: Sequence[ContributorScore], payees: Mapping[str, str], kappa: Fraction, harm: Mapping[str, Decimal]
) -> list[ContributorScore]:
    """The claims, those of payees with several names or with `harm` (B, nats) netted; `payees`: name → payee."""
    groups: dict[str, list[ContributorScore]] = {}
    for claim in claims:
        name = claim.contributor_id
        if name in payees or name in harm:
            groups.setdefault(payees.get(name, name), []).append(claim)
    netted = {claim.contributor_id: claim for group in groups.values() for claim in _netted(group, kappa, harm)}
    return [netted.get(claim.contributor_id, claim) for claim in claims]


def _netted(group: Sequence[ContributorScore], kappa: Fraction, harm: Mapping[str, Decimal]) -> list[ContributorScore]:
    credit = summed(Fraction(claim.score) - Fraction(harm.get(claim.contributor_id, 0)) for claim in group)
    alone = summed(counted_credit(claim, kappa) for claim in group)
    together = max(Fraction(0), credit - kappa * _root_of_squares(claim.score_se for claim in group))
    left = min(Fraction(1), together / alone) if alone else Fraction(1)
    high = credit + _root_of_squares(claim.score_high - claim.score for claim in group)
    return [replace(claim, netted=left, content=0 if high < 0 else claim.content) for claim in group]


def _root_of_squares(values: Iterable[Decimal]) -> Fraction:
    """√Σx², cut down to the step of scores: exact arithmetic has no roots."""
    steps = sum(int(value / SCORE_STEP) ** 2 for value in values)
    return Fraction(math.isqrt(steps)) * Fraction(SCORE_STEP)


def weigh(claim: ContributorScore, kappa: Fraction, rule: Rule) -> Fraction:
    """V by `credit` (nats) or by `tokens`, exactly; by `blend` it takes everybody's, see `blend_parts`."""
    if rule == TOKENS:
        return Fraction(0 if claim.score_high < 0 else claim.tokens)
    return counted_credit(claim, kappa)


def blend_parts(claims: Sequence[ContributorScore], kappa: Fraction, reliability: Fraction) -> dict[str, BlendParts]:
    """Contributor → the parts of the weight by `blend`. All 0 where neither credit nor content counts."""
    credit = {claim.contributor_id: counted_credit(claim, kappa) for claim in claims}
    content = {claim.contributor_id: counted_content(claim) for claim in claims}
    all_credit, all_content = summed(credit.values()), sum(content.values())
    w = Fraction(0) if not all_credit else Fraction(1) if not all_content else reliability
    return {
        name: BlendParts(
            w,
            value / all_credit if all_credit else Fraction(0),
            Fraction(content[name], all_content or 1),
            content[name],
        )
        for name, value in credit.items()
    }


def weight_of(row: AllocationRow) -> Fraction:
    """The exact weight on a line of allocation.csv."""
    return Fraction(row.weight_num, row.weight_den)


def whole_parts(weights: Mapping[str, Fraction]) -> dict[str, int]:
    """The weights over their common denominator: integers are quicker to compare than rationals."""
    common = math.lcm(*(weight.denominator for weight in weights.values()))
    return {name: weight.numerator * (common // weight.denominator) for name, weight in weights.items()}


def summed(values: Iterable[Fraction]) -> Fraction:
    """Over one denominator: adding a hundred thousand fractions one by one takes minutes."""
    fractions = list(values)
    common = math.lcm(*(value.denominator for value in fractions))
    return Fraction(sum(value.numerator * (common // value.denominator) for value in fractions), common)
