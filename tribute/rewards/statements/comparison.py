"""Why a contributor's pay changed from one period to the next, split exactly into four causes. Reads no file.

    pay = P · V_k / (V_k + Σ V of the others)       per pool, V as in allocation.py

Four inputs can differ between two periods: the pool P, the contributor's data (credit, its error, tokens), the others'
data, and the policy (κ and the rule that pays). Replacing them one after the other, old by new, changes the pay step by
step. The size of a step depends on the order, so each cause counts with its mean over all 24 orders: its Shapley value
(Shapley 1953, A value for n-person games). The four values sum exactly to the change of the quota.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

from tribute.rewards.allocation.allocate import ContributorScore, Rule, weigh

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
    kappa: Fraction
    rule: Rule


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
        weight = self._weight(name, contributor_id, data, policy)
        rest = self._totals[name, others, policy] - self._weight(name, contributor_id, others, policy)
        if weight + rest == 0:
            return Fraction(0)
        return self.sides[pool].pools.get(name, 0) * weight / (weight + rest)

    def _weight(self, name: str, contributor_id: str, data: int, policy: int) -> Fraction:
        claim = self.sides[data].claims.get(name, {}).get(contributor_id)
        rules = self.sides[policy]
        return Fraction(0) if claim is None else weigh(claim, rules.kappa, rules.rule)

    def _total(self, name: str, data: int, policy: int) -> Fraction:
        return summed(
            self._weight(name, contributor_id, data, policy) for contributor_id in self.sides[data].claims.get(name, {})
        )


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


def summed(values: Iterable[Fraction]) -> Fraction:
    """Over one denominator: adding a hundred thousand fractions one by one takes minutes."""
    fractions = list(values)
    common = math.lcm(*(value.denominator for value in fractions))
    return Fraction(sum(value.numerator * (common // value.denominator) for value in fractions), common)
