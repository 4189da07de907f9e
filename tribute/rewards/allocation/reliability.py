"""How far credit counts, figure by figure: the policy's limits as functions of the card. From 0 to 1, exact.

Each figure counts 1 within its limit and falls linearly to 0 at `zero_at` times the limit (a limit of 0 has no slope:
beyond it a figure counts 0). Planted controls have no limit: duplicates count as the part of them that was excluded,
shuffled labels as far as their credit lies below 0. A worse figure never counts more, and the least of all decides:

    figure                      x                                   limit L                 counts
    mismatch                    largest |integrated ÷ measured − 1| gate.mismatch           falling(x, L)
    two halves of the seeds     Σ|Δ| of shares                      gate.seed_split         falling(x, L)
    leave-one-out rank          ceiling − rank                      leave_one_out_margin    falling(x, L)
    shares told from content    credits that surely differ          –                       1 if there is one, else 0
    planted duplicates          excluded ÷ planted                  –                       x
    planted shuffled labels     credit c, upper end h of interval   –                       1 if h < 0, 0 if c ≥ 0,
                                                                                            else c ÷ (c − h)

    falling(x, L) = 1 if x ≤ L;  0 if x ≥ z·L;  else (z·L − x) ÷ ((z − 1)·L)          z = gate.zero_at

Results are cut to three decimals, and what stands there is what is paid by.
"""

from decimal import Decimal
from fractions import Fraction
from math import floor

STEP = Decimal("0.001")
"""Figures and what they count are rounded to this before anything is decided."""
FULL, NONE = Decimal("1.000"), Decimal("0.000")


def falling(value: Decimal, limit: Decimal, zero_at: Decimal) -> Decimal:
    """1 up to the limit, 0 from `zero_at` (> 1) times the limit, linear between."""
    end = zero_at * limit
    if value <= limit:
        return FULL
    return NONE if value >= end else cut(Fraction(end - value) / Fraction(end - limit))


def excluded_part(excluded: int, planted: int) -> Decimal:
    """The part of the planted duplicates that was excluded; 0 where none was planted."""
    return cut(Fraction(excluded, planted)) if planted else NONE


def below_zero(credit: float, high: float) -> Decimal:
    """How far an interval with this middle and upper end lies below 0: 1 all of it, 0 where its middle does not."""
    if high < 0:
        return FULL
    if credit >= 0:
        return NONE
    middle, end = Fraction(str(credit)), Fraction(str(high))
    return cut(middle / (middle - end))


def cut(value: Fraction) -> Decimal:
    """To three decimals, down."""
    return STEP * floor(1000 * value)
