"""How the net fee of a period is divided, before anybody's credit counts. Pure: no files, no ledger.

Parts come from the policy as exact decimals; each division is by largest remainder, so the parts sum to the whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tribute.errors import RewardError
from tribute.formatting import plain_money
from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.policy.policy import Policy

OPERATOR = "operator"
"""Who funds what no payer's use does."""


@dataclass(frozen=True)
class Funding:
    """The net fee of one currency and its parts, in minor units; pool → what it pays, by name.

    `payers`: what each payer's metered use is of the net fee, by pseudonym; the rest is the operator's.
    """

    currency: str
    net: int
    platform: int
    model_owner: int
    reserve: int
    pools: Mapping[str, int]
    payers: Mapping[str, int] = field(default_factory=dict)

    @property
    def contributors(self) -> int:
        """What all pools pay."""
        return sum(self.pools.values())

    def document(self) -> dict[str, Any]:
        """As a manifest has it: amounts as text."""
        names = ("net", "platform", "model_owner", "reserve")
        amounts = {f"{name}_minor": str(getattr(self, name)) for name in names}
        pools = {name: str(amount) for name, amount in sorted(self.pools.items())}
        payers = {name: str(amount) for name, amount in sorted(self.payers.items())}
        document = {"currency": self.currency, **amounts, "pools_minor": pools}
        return document | ({"payers_minor": payers} if payers else {})

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Funding":
        """The funding that a manifest has. Raises KeyError or ValueError where it has none."""
        names = ("net", "platform", "model_owner", "reserve")
        amounts = {name: int(document[f"{name}_minor"]) for name in names}
        pools = {name: int(amount) for name, amount in document["pools_minor"].items()}
        payers = {name: int(amount) for name, amount in document.get("payers_minor", {}).items()}
        return cls(str(document["currency"]), pools=pools, payers=payers, **amounts)

    @property
    def funders(self) -> dict[str, int]:
        """Who funds what of the net fee: the payers, and the operator what is left."""
        rest = self.net - sum(self.payers.values())
        return {**self.payers, **({OPERATOR: rest} if rest else {})}


def divide_again(fundings: Iterable[Funding], policy: Policy, period: str) -> list[Funding]:
    """The same net fees divided by a policy, in their order. Raises RewardError like `divide`."""
    return [divide(funding.net, funding.currency, policy, period, funding.payers) for funding in fundings]


def divide(net: int, currency: str, policy: Policy, period: str, payers: Mapping[str, int] | None = None) -> Funding:
    """Divide `net` minor units > 0, `payers`' part included. Raises RewardError where a pool would get nothing."""
    split = policy.split
    parts = {name: Fraction(getattr(split, name)) for name in ("platform", "model_owner", "reserve", "contributors")}
    amounts = largest_remainder(net, parts, period)
    shares = {name: Fraction(pool.part) for name, pool in sorted(policy.pools.items())}
    pools = largest_remainder(amounts.pop("contributors"), shares, period)
    if empty := [name for name, amount in pools.items() if amount == 0]:
        raise RewardError(
            f"pool {empty[0]} of {period} would be 0 of {plain_money(net, currency)}; "
            "a pool needs at least one minor unit, so raise the amount or change the policy's parts"
        )
    return Funding(currency, net, pools=pools, payers=payers or {}, **amounts)
