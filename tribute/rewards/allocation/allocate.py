"""From credit to money in exact arithmetic: pure functions, no files, no currency.

For contributor k with credit Z_k, its standard error SE_k and the upper end H_k of its interval on the evaluation
set (nats of its loss; where queries pay, Z_k and SE_k are parts of the answers' credit, without unit; all rounded
to 12 decimals), and T_k training tokens after deduplication:

    V_k    = max(0, Z_k − κ·SE_k)       weight by the rule `credit`, an exact rational
    V_k    = T_k, or 0 if H_k < 0       weight by the rule `tokens`, where the attribution did not pass the gate
    quota  = pool · V_k / ΣV            minor units, an exact rational
    amount = largest remainder of the quotas, integers that sum to the pool

Every amount is its quota rounded down or up. The units left after rounding down go one each to the largest
remainders; equal remainders are ordered by sha256(period ‖ contributor id), which nobody can foresee to
their advantage when they choose a pseudonym.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from tribute.errors import RewardError
from tribute.rewards.tables import AllocationRow

SCORE_STEP = Decimal("1e-12")
"""Credits and standard errors are rounded to this many nats when they enter; exact from there on."""
LARGEST_SCORE = 1_000_000
"""Evaluation losses are a few nats; anything of this size is a fault upstream."""
Rule = Literal["credit", "tokens"]
"""What a weight is made of."""
CREDIT: Rule = "credit"
TOKENS: Rule = "tokens"
ACCRUED = "accrued"
"""The amount is above 0 and owed."""
ZERO_ALL_EXCLUDED = "zero_all_excluded"
"""Every submitted row was excluded before training."""
ZERO_NO_TRAINING_ROW = "zero_no_training_row"
"""No row was trained on, though not every one was excluded (none handed in, or held out for evaluation)."""
ZERO_CREDIT_BELOW_ZERO = "zero_credit_below_zero"
"""Z_k < 0, by the rule `tokens` H_k < 0: the model is better without the rows."""
ZERO_NOT_DISTINGUISHABLE = "zero_not_distinguishable"
"""0 ≤ Z_k ≤ κ·SE_k: the credit is not above its uncertainty."""
ZERO_BELOW_ONE_UNIT = "zero_below_one_unit"
"""The weight is above 0 and the quota below one minor unit; the unit went to a larger remainder."""


@dataclass(frozen=True)
class ContributorScore:
    """What one contributor brings to a period: signed credit in nats and how sure it is, rows, tokens.

    `score_high` is the upper end of the credit's interval; `tokens` are those of the canonical rows.
    """

    contributor_id: str
    score: Decimal
    score_se: Decimal
    rows_submitted: int
    rows_canonical: int
    rows_excluded: int
    score_high: Decimal
    tokens: int


@dataclass(frozen=True)
class AllocationLine:
    """What one contributor gets: exact weight (nats or tokens), exact quota and whole amount (minor units)."""

    claim: ContributorScore
    rule: Rule
    weight: Fraction
    quota: Fraction
    amount: int
    status: str

    @property
    def contributor_id(self) -> str:
        """Whose line this is."""
        return self.claim.contributor_id


def exact_score(value: float, name: str, contributor_id: str) -> Decimal:
    """A float from the attribution, rounded to 12 decimals. Raises RewardError for NaN and infinity."""
    if not abs(value) < LARGEST_SCORE:
        raise RewardError(
            f"{contributor_id}: {name} is {value}, expected a finite number of nats below {LARGEST_SCORE}"
        )
    return Decimal(value).quantize(SCORE_STEP)


def weigh(claim: ContributorScore, kappa: Fraction, rule: Rule) -> Fraction:
    """V, exactly: max(0, Z − κ·SE) nats by credit; T tokens, or 0 if H < 0, by tokens."""
    if rule == TOKENS:
        return Fraction(0 if claim.score_high < 0 else claim.tokens)
    return max(Fraction(0), Fraction(claim.score) - kappa * Fraction(claim.score_se))


def largest_remainder(pool: int, weights: Mapping[str, Fraction], period: str) -> dict[str, int]:
    """Contributor → amount in minor units; they sum to `pool`. Raises RewardError if all weights are 0."""
    parts = _whole_parts(weights)
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
    parts = _whole_parts(weights)
    total = sum(parts.values())
    return {name: Fraction(pool * part, total) for name, part in parts.items()}


def allocate(
    claims: Sequence[ContributorScore], *, pool: int, kappa: Fraction, period: str, rule: Rule
) -> list[AllocationLine]:
    """Share `pool` minor units among the claims; one line each, sorted by contributor id."""
    ordered = sorted(claims, key=lambda claim: claim.contributor_id)
    weights = {claim.contributor_id: weigh(claim, kappa, rule) for claim in ordered}
    amounts = largest_remainder(pool, weights, period)
    shares = quotas(pool, weights)
    lines = []
    for claim in ordered:
        weight, amount = weights[claim.contributor_id], amounts[claim.contributor_id]
        lines.append(
            AllocationLine(
                claim, rule, weight, shares[claim.contributor_id], amount, status(claim, weight, amount, rule)
            )
        )
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
    # Where queries pay, the score is not what made the weight by tokens 0.
    tested = claim.score_high if rule == TOKENS else claim.score
    return ZERO_CREDIT_BELOW_ZERO if tested < 0 else ZERO_NOT_DISTINGUISHABLE


def weight_of(row: AllocationRow) -> Fraction:
    """The exact weight on a line of allocation.csv."""
    return Fraction(row.weight_num, row.weight_den)


def claim_of(row: AllocationRow, tokens: int) -> ContributorScore:
    """What a line of allocation.csv was calculated from; the tokens stand in tokens.csv."""
    counts = (row.rows_submitted, row.rows_canonical, row.rows_excluded)
    return ContributorScore(row.contributor_id, row.score, row.score_se, *counts, row.score_high, tokens)


def _whole_parts(weights: Mapping[str, Fraction]) -> dict[str, int]:
    """The weights over their common denominator: integers are quicker to compare than rationals."""
    common = math.lcm(*(weight.denominator for weight in weights.values()))
    return {name: weight.numerator * (common // weight.denominator) for name, weight in weights.items()}


def _tie_break(period: str, contributor_id: str) -> bytes:
    # The period has a fixed length, so the plain concatenation is unambiguous.
    return hashlib.sha256((period + contributor_id).encode()).digest()


@dataclass(frozen=True)
class PoolAllocation:
    """What one pool pays in one currency."""

    pool: str
    currency: str
    lines: Sequence[AllocationLine]
