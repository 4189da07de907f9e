"""Theorem: months count on across years, and nothing but a month or a day is taken for one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute import months
from tribute.errors import RewardError

periods = st.from_regex(months.PERIOD, fullmatch=True)


@given(periods, st.integers(min_value=-1200, max_value=1200))
def test_shifting_comes_back(period: str, number: int):
    """Later and back is the same month, and later is later."""
    later = months.shifted(period, number)

    assert months.shifted(later, -number) == period
    assert (later > period) == (number > 0)


@given(periods, st.integers(min_value=0, max_value=60))
def test_a_span_has_every_month_once(first: str, number: int):
    """A span holds both ends, each month following the one before."""
    span = months.span(first, months.shifted(first, number))

    assert len(span) == number + 1
    assert span[0] == first
    assert all(months.next_period(before) == after for before, after in pairwise(span))


def test_a_span_that_ends_before_it_begins_is_empty():
    """Nothing lies between December and the January before it."""
    assert months.span("2026-12", "2026-01") == []


@pytest.mark.parametrize(
    ("period", "day"), [("2026-02", "28"), ("2028-02", "29"), ("2100-02", "28"), ("2026-12", "31")]
)
def test_the_last_day(period: str, day: str):
    """Leap years by the Gregorian calendar."""
    assert months.last_day(period) == f"{period}-{day}"


@pytest.mark.parametrize(
    "period", ["", "2026", "2026-13", "2026-00", "2026-1", "1899-12", "3000-01", "٢٠٢٦-11", "2026-11\n"]
)
def test_what_is_no_month(period: str):
    """Only YYYY-MM in ASCII digits, of the years 1900 to 2999."""
    assert not months.is_period(period)
    with pytest.raises(RewardError, match="write it like 2026-11"):
        months.last_day(period)


@pytest.mark.parametrize(
    "day", ["", "2026-02-30", "2026-11", "20261130", "2026-W48-1", "2026-11-30T00:00", "30.11.2026"]
)
def test_what_is_no_day(day: str):
    """Only YYYY-MM-DD, and only days that exist."""
    with pytest.raises(RewardError, match="write it like 2026-11-30"):
        months.checked_day(day)
