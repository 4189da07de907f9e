"""What each payer owes for what: a month's micro-units rounded once to the currency's minor units, the rest carried on.

    brought + micro = minor · (10⁻⁶ units in a minor unit) + carried

`minor` is rounded down and never below 0: who was refunded more than was used owes nothing until use makes up for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tribute.micro import DECIMALS
from tribute.money import exponent
from tribute.services.seal.totals import BY_AGENT, BY_DATASET

Funds = list[dict[str, Any]]
"""Lines of `payer, dataset, currency, brought, micro, minor, carried`, in order; of margins `agent` for `dataset`."""
OWED = {"funds": ("funding", BY_DATASET), "income": ("income", BY_DATASET), "margins": ("margins", BY_AGENT)}
"""What a seal says that payers owe → the total that it follows from, and by what its lines are told apart."""


def owed(totals: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Funds]:
    """What payers owe for a month, by `OWED`, from the totals and the seal of the month before."""
    return {name: funds(totals[total], before[name] if before else [], names) for name, (total, names) in OWED.items()}


def funds(
    totals: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]], names: Sequence[str] = BY_DATASET
) -> Funds:
    """The lines of a month, from one of its totals and the lines of the month sealed before."""
    used = {tuple(line[name] for name in names): line["micro"] for line in totals}
    brought = {tuple(line[name] for name in names): line["carried"] for line in before if line["carried"]}
    return [
        dict(zip(names, group, strict=True)) | _line(group[-1], brought.get(group, 0), used.get(group, 0))
        for group in sorted(used.keys() | brought.keys())
    ]


def _line(currency: str, brought: int, micro: int) -> dict[str, Any]:
    places = exponent(currency) - DECIMALS
    sum_ = brought + micro
    minor, carried = (sum_ * 10**places, 0) if places >= 0 else divmod(sum_, 10**-places)
    if sum_ < 0:
        minor, carried = 0, sum_
    return {"brought": brought, "micro": micro, "minor": minor, "carried": carried}
