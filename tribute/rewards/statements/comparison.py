"""Why a contributor's pay changed from one period to the next, split exactly into four causes. Reads no file.

    pay = P · (w · C_k / ΣC + (1 − w) · F_k / ΣF)       per pool, C, F and w as in allocation/weights.py

where the rule `credit` has w = 1, and `tokens` w = 0 with tokens as F. Four inputs can differ between two periods: the
pool P, the contributor's data (credit, its error, content or tokens), the others' data, and the policy (κ, the rule
that pays, and w, how far the measurement counts by it). Where queries pay, C is what payers' money said, whatever κ.
Replacing them one after the other, old by new, changes the pay step by step. The size of a step depends on the order,
so each cause counts with its mean over all 24 orders: its Shapley value (Shapley 1953, A value for n-person games). The
four values sum exactly to the change of the quota.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

from tribute.rewards.allocation.allocate import Terms
from tribute.rewards.allocation.weights import (
    BLEND,
    TOKENS,
    ContributorScore,
    counted_content,
    counted_credit,
    summed,
    weigh,
)

CAUSES = ("pool", "own_data", "others", "policy")
"""In the order in which a statement lists them."""

Pools = Mapping[str, int]
"""Name of a pool → its minor units, all of one currency."""


@dataclass(frozen=True)
class PeriodInputs:
    """One period as far as pay depends on it, in one currency."""

    pools: Pools
    claims: Mapping[str, Mapping[str, ContributorScore]]
    """Pool → contributor → claim."""
    terms: Terms


class Comparison:
    """Two periods side by side; sums everybody's weights once, then splits one contributor's change after another."""

    def __init__(self, before: PeriodInputs, now: PeriodInputs) -> None:
        self.sides = (before, now)
        self.names = sorted(before.pools.keys() | now.pools.keys())
        self._totals = {
            (name, data, policy): self._total(name, data, policy)
            for name in self.names
            for data, policy in product((0, 1), repeat=2)
        }

    def causes(self, contributor_id: str) -> dict[str, Fraction]:
        """Cause → its part of the change, in minor units, signed."""
        # A choice says for each cause whether the old (0) or the new (1) is in; its pay summed over the pools.
        pays = {
            choice: sum((self._pay(name, contributor_id, *choice) for name in self.names), Fraction(0))
            for choice in product((0, 1), repeat=len(CAUSES))
        }
        return {cause: _shapley(pays, place) for place, cause in enumerate(CAUSES)}

    def whole_causes(self, contributor_id: str, change: int) -> dict[str, int]:
        """The same in whole minor units that sum to `change`, the difference of the two amounts."""
        exact = self.causes(contributor_id)
        whole = {cause: math.floor(value + Fraction(1, 2)) for cause, value in exact.items()}
        # Amounts are rounded quotas, so a unit or two are left: they go where most happened.
        most = max(CAUSES, key=lambda cause: abs(exact[cause]))
        whole[most] += change - sum(whole.values())
        return whole

    def _pay(self, name: str, contributor_id: str, pool: int, data: int, others: int, policy: int) -> Fraction:
        parts = [
            (part, part + whole - old)
            for part, old, whole in zip(
                self._counts(name, contributor_id, data, policy),
                self._counts(name, contributor_id, others, policy),
                self._totals[name, others, policy],
                strict=True,
            )
        ]
        (credit, all_credit), (fallback, all_fallback) = parts
        terms = self.sides[policy].terms
        w = terms.credit_part
        if terms.rule == BLEND and not (all_credit and all_fallback):
            w = Fraction(bool(all_credit))
        share = w * credit / (all_credit or 1) + (1 - w) * fallback / (all_fallback or 1)
        return self.sides[pool].pools.get(name, 0) * share

    def _counts(self, name: str, contributor_id: str, data: int, policy: int) -> tuple[Fraction, Fraction]:
        """C and F of a contributor; 0 for a stranger."""
        claim = self.sides[data].claims.get(name, {}).get(contributor_id)
        if claim is None:
            return Fraction(0), Fraction(0)
        terms = self.sides[policy].terms
        fallback = weigh(claim, terms.kappa, TOKENS) if terms.rule != BLEND else Fraction(counted_content(claim))
        return counted_credit(claim, terms.kappa), fallback

    def _total(self, name: str, data: int, policy: int) -> tuple[Fraction, Fraction]:
        counts = [
            self._counts(name, contributor_id, data, policy) for contributor_id in self.sides[data].claims.get(name, {})
        ]
        return summed(credit for credit, _ in counts), summed(fallback for _, fallback in counts)


def _shapley(pays: Mapping[tuple[int, ...], Fraction], place: int) -> Fraction:
    count = len(CAUSES)
    others = [other for other in range(count) if other != place]
    value = Fraction(0)
    for size in range(count):
        share = Fraction(math.factorial(size) * math.factorial(count - size - 1), math.factorial(count))
        for chosen in combinations(others, size):
            without = tuple(int(cause in chosen) for cause in range(count))
            with_it = tuple(int(cause in chosen or cause == place) for cause in range(count))
            value += share * (pays[with_it] - pays[without])
    return value
