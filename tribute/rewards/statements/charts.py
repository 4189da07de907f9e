"""Where the marks of a statement's small charts lie, in percent of the drawing's width. Draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate


@dataclass(frozen=True)
class Strip:
    """One axis of credit with everybody on it; positions are texts such as `"41.27%"`."""

    zero: str
    low: str
    width: str
    credit: str
    counted: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Bar:
    """A horizontal bar that starts at a common zero and runs right (helped) or left (harmed)."""

    label: str
    value: Decimal
    zero: str
    start: str
    width: str

    @property
    def tone(self) -> str:
        """The class of statement.css that colours it."""
        return "minus" if self.value < 0 else "plus"


class Axis:
    """Maps values between `low` and `high` to 2 % … 98 %, so that marks at the ends are not cut off."""

    def __init__(self, values: Sequence[Decimal]) -> None:
        self.low = min(*values, Decimal(0))
        self.span = max(*values, Decimal(0)) - self.low or Decimal(1)

    def at(self, value: Decimal) -> str:
        """The position of a value."""
        return _percent(2 + 96 * (value - self.low) / self.span)

    def length(self, start: Decimal, end: Decimal) -> str:
        """The distance between two values."""
        return _percent(96 * abs(end - start) / self.span)


def strip(credit: Decimal, low: Decimal, high: Decimal, counted: Decimal, others: Sequence[Decimal]) -> Strip:
    """A contributor's credit, interval and counted part among the others' credits."""
    axis = Axis([credit, low, high, counted, *others])
    return Strip(
        zero=axis.at(Decimal(0)),
        low=axis.at(low),
        width=axis.length(low, high),
        credit=axis.at(credit),
        counted=axis.at(counted),
        others=tuple(axis.at(value) for value in sorted(others)),
    )


def bars(values: Sequence[tuple[str, Decimal]]) -> list[Bar]:
    """Bars on one axis, in the order given."""
    axis = Axis([Decimal(0), *(value for _, value in values)])
    zero = Decimal(0)
    return [
        Bar(label, value, axis.at(zero), axis.at(min(value, zero)), axis.length(zero, value)) for label, value in values
    ]


def ladder(before: Decimal, causes: Sequence[tuple[str, Decimal]]) -> list[Bar]:
    """Bars that each start where the one before ended: from `before` by every cause to what it is now."""
    starts = list(accumulate((value for _, value in causes), initial=before))
    axis = Axis(starts)
    zero = axis.at(Decimal(0))
    return [
        Bar(label, value, zero, axis.at(min(start, start + value)), axis.length(start, start + value))
        for (label, value), start in zip(causes, starts, strict=False)
    ]


def waterfall(before: tuple[str, Decimal], causes: Sequence[tuple[str, Decimal]], after: str) -> list[Bar]:
    """A ladder between two bars from zero: what was before, and what came of it under the label `after`."""
    label, value = before
    now = value + sum(change for _, change in causes)
    axis = Axis(list(accumulate((change for _, change in causes), initial=value)))
    zero = axis.at(Decimal(0))
    first, last = (
        Bar(name, total, zero, axis.at(min(total, Decimal(0))), axis.length(Decimal(0), total))
        for name, total in ((label, value), (after, now))
    )
    return [first, *ladder(value, causes), last]


def parts(values: Sequence[int]) -> list[tuple[str, str]]:
    """Start and width of each value in one bar that they fill together; all are above 0."""
    whole, starts = sum(values), accumulate(values, initial=0)
    return [
        (_percent(Decimal(100 * start) / whole), _percent(Decimal(100 * value) / whole))
        for start, value in zip(starts, values, strict=False)
    ]


def _percent(value: Decimal) -> str:
    return f"{value:.2f}%"
