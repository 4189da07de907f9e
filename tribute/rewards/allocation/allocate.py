"""From weights to money in exact arithmetic: pure functions, no files, no currency.

    quota  = pool · V_k / ΣV            minor units, an exact rational; V as in weights.py
    amount = largest remainder of the quotas, integers that sum to the pool

Every amount is its quota rounded down or up. The units left after rounding down go one each to the largest
remainders; equal remainders are ordered by sha256(period ‖ contributor id), which nobody can foresee to
their advantage when they choose a pseudonym.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tribute.errors import RewardError
from tribute.rewards.allocation.weights import (
    BLEND,
    CREDIT,
    TOKENS,
    BlendParts,
    ContributorScore,
    Rule,
    blend_parts,
    weigh,
    whole_parts,
)
from tribute.rewards.tables import AllocationRow

ACCRUED = "accrued"
"""The amount is above 0 and owed."""
ZERO_ALL_EXCLUDED = "zero_all_excluded"
"""Every submitted row was excluded before training."""
ZERO_NO_TRAINING_ROW = "zero_no_training_row"
"""No row was trained on, though not every one was excluded (none handed in, or held out for evaluation)."""
ZERO_CREDIT_BELOW_ZERO = "zero_credit_below_zero"
"""Z_k < 0, by the rule `tokens` H_k < 0, by `blend` one of both: the model is better without the rows."""
ZERO_NOT_DISTINGUISHABLE = "zero_not_distinguishable"
"""0 ≤ Z_k ≤ κ·SE_k: the credit is not above its uncertainty."""
ZERO_NETTED = "zero_netted"
"""The payee's other names, or rows left out as harmful, lose at least as much as this one would be paid for."""
ZERO_BELOW_ONE_UNIT = "zero_below_one_unit"
"""The weight is above 0 and the quota below one minor unit; the unit went to a larger remainder."""


@dataclass(frozen=True)
class AllocationLine:
    """What one contributor gets: exact weight (part, nats or tokens), exact quota, whole amount (minor units).

    `parts` are what the weight joins by the rule `blend`.
    """

    claim: ContributorScore
    rule: Rule
    weight: Fraction
    quota: Fraction
    amount: int
    status: str
    parts: BlendParts | None = None

    @property
    def contributor_id(self) -> str:
        """Whose line this is."""
        return self.claim.contributor_id


def largest_remainder(pool: int, weights: Mapping[str, Fraction], period: str) -> dict[str, int]:
    """Contributor → amount in minor units; they sum to `pool`. Raises RewardError if all weights are 0."""
    parts = whole_parts(weights)
    total = sum(parts.values())
    if total == 0:
        raise RewardError(
            f"{period}: none of {len(weights)} contributors has a credit above its uncertainty, "
            "so nobody can be paid; train with more seeds or rows, or lower kappa in the policy"
        )
    floors = {name: divmod(pool * part, total) for name, part in parts.items()}
    left = pool - sum(floor for floor, _ in floors.values())
    order = sorted(floors, key=lambda name: (-floors[name][1], _tie_break(period, name)))
    lucky = set(order[:left])
    return {name: floor + (name in lucky) for name, (floor, _) in floors.items()}


def quotas(pool: int, weights: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Contributor → pool · V / ΣV in minor units, exactly; ΣV must be above 0."""
    parts = whole_parts(weights)
    total = sum(parts.values())
    return {name: Fraction(pool * part, total) for name, part in parts.items()}


@dataclass(frozen=True)
class Terms:
    """How a period's pools weigh: κ, the rule, and by the rule `blend` how far credit counts (w, 0 to 1)."""

    kappa: Fraction
    rule: Rule
    reliability: Fraction = Fraction(1)

    @property
    def credit_part(self) -> Fraction:
        """How far credit decides: w by `blend`, 1 by `credit`, 0 by `tokens`."""
        return {CREDIT: Fraction(1), TOKENS: Fraction(0)}.get(self.rule, self.reliability)

    def weights(self, claims: Sequence[ContributorScore]) -> tuple[dict[str, Fraction], dict[str, BlendParts]]:
        """Contributor → V, exactly, and what it joins, which is nothing but by the rule `blend`."""
        if self.rule != BLEND:
            return {claim.contributor_id: weigh(claim, self.kappa, self.rule) for claim in claims}, {}
        parts = blend_parts(claims, self.kappa, self.reliability)
        return {name: part.weight for name, part in parts.items()}, parts


def allocate(claims: Sequence[ContributorScore], *, pool: int, terms: Terms, period: str) -> list[AllocationLine]:
    """Share `pool` minor units among the claims; one line each, sorted by contributor id."""
    ordered = sorted(claims, key=lambda claim: claim.contributor_id)
    weights, parts = terms.weights(ordered)
    amounts = largest_remainder(pool, weights, period)
    shares = quotas(pool, weights)
    lines = []
    for claim in ordered:
        name = claim.contributor_id
        weight, amount = weights[name], amounts[name]
        reason = status(claim, weight, amount, terms.rule)
        lines.append(AllocationLine(claim, terms.rule, weight, shares[name], amount, reason, parts.get(name)))
    return lines


def status(claim: ContributorScore, weight: Fraction, amount: int, rule: Rule) -> str:
    """Why the amount is what it is, as one of this module's codes."""
    if amount > 0:
        return ACCRUED
    if claim.rows_canonical == 0:
        all_excluded = 0 < claim.rows_submitted <= claim.rows_excluded
        return ZERO_ALL_EXCLUDED if all_excluded else ZERO_NO_TRAINING_ROW
    if weight > 0:
        return ZERO_BELOW_ONE_UNIT
    if claim.score > 0 and claim.netted == 0:
        return ZERO_NETTED
    # Where queries pay, the score is not what made the weight by tokens 0.
    tested = claim.score_high if rule == TOKENS else claim.score
    if rule == BLEND:
        tested = min(claim.score, claim.score_high)
    return ZERO_CREDIT_BELOW_ZERO if tested < 0 else ZERO_NOT_DISTINGUISHABLE


def claim_of(row: AllocationRow, tokens: int, content: int = 0) -> ContributorScore:
    """What a line of allocation.csv was calculated from; tokens and content stand in tokens.csv."""
    counts = (row.rows_submitted, row.rows_canonical, row.rows_excluded)
    return ContributorScore(row.contributor_id, row.score, row.score_se, *counts, row.score_high, tokens, content)


def _tie_break(period: str, contributor_id: str) -> bytes:
    # The period has a fixed length, so the plain concatenation is unambiguous.
    return hashlib.sha256((period + contributor_id).encode()).digest()


@dataclass(frozen=True)
class PoolAllocation:
    """What one pool pays in one currency."""

    pool: str
    currency: str
    lines: Sequence[AllocationLine]
