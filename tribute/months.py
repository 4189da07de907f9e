"""Months as `YYYY-MM` and days as `YYYY-MM-DD`: the calendar of periods and postings."""

import calendar
import re
from datetime import date

from tribute.errors import RewardError

PERIOD = r"(?:19|2[0-9])[0-9]{2}-(?:0[1-9]|1[0-2])"
"""A month of the years 1900 to 2999: days years later are reckoned from it, and dates end with the year 9999."""
_PERIOD = re.compile(PERIOD)


def is_period(text: str) -> bool:
    """Whether the text is a month, YYYY-MM."""
    return _PERIOD.fullmatch(text) is not None


def checked_period(period: str) -> str:
    """A month, YYYY-MM. Raises RewardError."""
    if not is_period(period):
        raise RewardError(f"period {period!r} is not a month of the years 1900 to 2999; write it like 2026-11")
    return period


def last_day(period: str) -> str:
    """`2026-11` → `2026-11-30`. Raises RewardError."""
    year, month = map(int, checked_period(period).split("-"))
    return f"{period}-{calendar.monthrange(year, month)[1]:02d}"


def next_period(period: str) -> str:
    """`2026-12` → `2027-01`."""
    return shifted(period, 1)


def shifted(period: str, months: int) -> str:
    """`months` later, or earlier where it is negative: `2026-12`, 2 → `2027-02`."""
    number = _number(period) + months
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def span(first: str, last: str) -> list[str]:
    """All months from the first to the last, both included; empty where the last comes before the first."""
    return [shifted(first, months) for months in range(_number(last) - _number(first) + 1)]


def checked_day(day: str) -> str:
    """A calendar day, YYYY-MM-DD. Raises RewardError."""
    try:
        if date.fromisoformat(day).isoformat() == day:
            return day
    except ValueError:
        pass
    raise RewardError(f"{day!r} is not a day; write it like 2026-11-30, without time or time zone")


def _number(period: str) -> int:
    return 12 * int(period[:4]) + int(period[5:]) - 1
