"""Amounts as services meter them: integers of 10⁻⁶ of the currency's unit, and how people read and write them."""

import re

from tribute.errors import ConfigError
from tribute.formatting import minus

DECIMALS = 6
_AMOUNT = re.compile(rf"(-?)([0-9]{{1,9}})(?:\.([0-9]{{1,{DECIMALS}}}))?")


def parse_micro(amount: str) -> int:
    """`1.25` → 1250000. Raises ConfigError."""
    matched = _AMOUNT.fullmatch(amount)
    if matched is None:
        raise ConfigError(f"amount {amount!r}: expected one such as 100 or 0.0005, with at most {DECIMALS} decimals")
    sign, whole, decimals = matched.groups()
    micro = int(f"{whole}{(decimals or '').ljust(DECIMALS, '0')}")
    return -micro if sign else micro


def exact_micro(micro: int) -> str:
    """All of an amount: 1250000 → `1.25`, 2100 → `0.0021`."""
    whole, decimals = divmod(abs(micro), 10**DECIMALS)
    return f"{'-' if micro < 0 else ''}{whole}.{f'{decimals:06}'.rstrip('0').ljust(2, '0')}"


def rounded_micro(micro: int) -> str:
    """An amount in a figure, to 2 decimals, below a tenth to 4: 1273456 → `1.27`, -2149 → `−0.0021`."""
    places = 4 if 0 < abs(micro) < 10 ** (DECIMALS - 1) else 2
    return minus(f"{micro / 10**DECIMALS:,.{places}f}")
