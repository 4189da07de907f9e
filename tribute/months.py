"""Months as `YYYY-MM` and days as `YYYY-MM-DD`: the calendar of periods and postings."""

import calendar
import re
from datetime import date

from tribute.errors import RewardError


def last_day(period: str) -> str:
    """`2026-11` → `2026-11-30`. Raises RewardError."""
    # Dates years later are reckoned from it, and end with the year 9999.
    if not re.fullmatch(r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])", period):
        raise RewardError(f"period {period!r} is not a month of the years 1900 to 2999; write it like 2026-11")
    year, month = int(period[:4]), int(period[5:])
    return f"{period}-{calendar.monthrange(year, month)[1]:02d}"


def next_period(period: str) -> str:
    """`2026-12` → `2027-01`."""
    return shifted(period, 1)


def shifted(period: str, months: int) -> str:
    """So many months later, or earlier where < 0: `2026-12`, 2 → `2027-02`."""
    number = 12 * int(period[:4]) + int(period[5:]) - 1 + months
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def checked_day(day: str) -> str:
    """A calendar day, YYYY-MM-DD. Raises RewardError."""
    try:
        if date.fromisoformat(day).isoformat() == day:
            return day
    except ValueError:
        pass
    raise RewardError(f"{day!r} is not a day; write it like 2026-11-30, without time or time zone")
