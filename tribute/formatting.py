"""Numbers, dates and money as text for people. Computes no amount."""

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import floor, log10

from tribute.money import exponent, format_amount


def decimal_floor(value: Fraction) -> Decimal:
    """A rational cut down to 12 decimals, so that its whole part is never rounded up."""
    return Decimal(f"{value.numerator * 10**12 // value.denominator}e-12")


# Own names: the standard library's follow the locale of whoever runs it.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = (
    (Decimal(1), "nats", "nats"),
    (Decimal("1e-3"), "mnat", "thousandths of a nat"),
    (Decimal("1e-6"), "µnat", "millionths of a nat"),
    (Decimal("1e-9"), "nnat", "billionths of a nat"),
)
Unit = tuple[Decimal, str, str]
"""A size in nats, its symbol and its name."""


def month(period: str) -> str:
    """`2026-11` → `November 2026`."""
    return f"{_MONTHS[int(period[5:]) - 1]} {period[:4]}"


def day(date: str) -> str:
    """`2026-11-05` → `5 November 2026`."""
    return f"{int(date[8:])} {month(date[:7])}"


def amount(minor: int, currency: str) -> str:
    """Minor units for people without their currency: `1,000.00`."""
    return minus(format_amount(minor, currency, grouped=True))


def money(minor: int, currency: str, *, signed: bool = False) -> str:
    """Minor units for people: `1,000.00 EUR`; with a sign also where it is a plus, if `signed`."""
    sign = "+" if signed and minor > 0 else ""
    return f"{sign}{amount(minor, currency)} {currency}"


def plain_money(minor: int, currency: str) -> str:
    """Minor units for terminals and messages, so that they can be copied: `1000.00 EUR`."""
    return f"{format_amount(minor, currency)} {currency}"


def number(value: float | None, places: int = 2) -> str:
    """A number with a real minus sign; a dash for None; never a negative zero."""
    if value is None:
        return "–"
    text = f"{value:,.{places}f}"
    return minus(text) if any(digit in text for digit in "123456789") else text.lstrip("-")


def signed(value: float | None, places: int = 2) -> str:
    """A number with its sign, plus included."""
    text = number(value, places)
    return f"+{text}" if text[0].isdigit() and text.strip("0.,") else text


def decimals(values: Iterable[float], digits: int = 3) -> int:
    """How many decimals give the largest of the values so many significant digits."""
    largest = max((abs(value) for value in values), default=0.0)
    return max(0, digits - 1 - floor(log10(largest))) if largest > 0 else digits - 1


def unit(values: list[Decimal]) -> Unit:
    """The unit in which the largest of the values is at least 1."""
    largest = max((abs(value) for value in values), default=Decimal(0))
    return next((unit for unit in _UNITS if largest >= unit[0]), _UNITS[-1] if largest else _UNITS[0])


def scaled(value: Decimal, unit: Unit) -> str:
    """A signed value in a unit, with one decimal."""
    return minus(f"{value / unit[0]:+,.1f}")


def nats(value: Decimal | Fraction) -> str:
    """A value in nats with all its 12 decimals."""
    return minus(f"{decimal_floor(Fraction(value)):f} nats")


def quota(value: Fraction, currency: str) -> str:
    """A quota in minor units as money, cut at 6 digits below the minor unit."""
    digits = exponent(currency) + 6
    whole, rest = divmod(value.numerator * 10**6 // value.denominator, 10**digits)
    return f"{whole:,}.{rest:0{digits}d} {currency}"


def percent(part: Fraction | Decimal | int, whole: Fraction | Decimal | int, digits: int = 1) -> str:
    """A percentage for people, calculated exactly and rounded once."""
    if whole == 0:
        return "–"
    return minus(f"{decimal_floor(100 * Fraction(part) / Fraction(whole)):.{digits}f} %")


def counted(number: int, noun: str) -> str:
    """How many of something, `1 row` and `2 rows`; for nouns whose plural ends in -s."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def sentence_case(name: str) -> str:
    """A name as it begins a line."""
    return name[:1].upper() + name[1:]


def minus(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", "−")


def unbroken(text: str) -> str:
    """A sentence in which no line ends between a number and its unit or currency: `5.0 %`, `73.70 EUR`."""
    return re.sub(r"(?<=\d) (?=%|[A-Z]{3}\b)", "\u00a0", text)
