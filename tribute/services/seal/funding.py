"""What each payer funds: a month's micro-units rounded once to the currency's minor units, and the rest carried on.

    brought + micro = minor · (10⁻⁶ units in a minor unit) + carried

`minor` is rounded down and never below 0: who was refunded more than was used funds nothing until use makes up for it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tribute.money import exponent

DECIMALS = 6
Funds = list[dict[str, Any]]
"""Lines of `payer, dataset, currency, brought, micro, minor, carried`, in order."""


def funds(totals: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]]) -> Funds:
    """The lines of a month, from `Totals.funding` and the lines of the month sealed before."""
    used = {_key(line): line["micro"] for line in totals}
    brought = {_key(line): line["carried"] for line in before if line["carried"]}
    return [_line(key, brought.get(key, 0), used.get(key, 0)) for key in sorted(used.keys() | brought.keys())]


def _line(key: tuple[str, str, str], brought: int, micro: int) -> dict[str, Any]:
    places = exponent(key[2]) - DECIMALS
    sum_ = brought + micro
    minor, carried = (sum_ * 10**places, 0) if places >= 0 else divmod(sum_, 10**-places)
    if sum_ < 0:
        minor, carried = 0, sum_
    named = dict(zip(("payer", "dataset", "currency"), key, strict=True))
    return {**named, "brought": brought, "micro": micro, "minor": minor, "carried": carried}


def _key(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return line["payer"], line["dataset"], line["currency"]
