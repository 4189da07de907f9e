"""Times of the services as text, `2026-11-29T15:04:05.000000Z`: UTC with microseconds, so text order is time order."""

from datetime import UTC, datetime

FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


def as_text(moment: datetime) -> str:
    """A moment with a time zone as text. Raises ValueError for a moment without one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment}: expected a time with a time zone, such as datetime.now(UTC)")
    return moment.astimezone(UTC).strftime(FORM)


def parse_time(text: str) -> datetime:
    """The moment that `as_text` wrote. Raises ValueError, also for another spelling: it would sort elsewhere."""
    moment = datetime.strptime(text, FORM).replace(tzinfo=UTC)
    if as_text(moment) != text:
        raise ValueError(f"{text}: expected it written as {as_text(moment)}")
    return moment


def month_of(time: str) -> str:
    """`2026-11-29T…` → `2026-11`."""
    return time[:7]


def period_of(window: str, time: str) -> str:
    """The window that a time falls in: its day, its month, or for `total` the empty text."""
    return {"day": time[:10], "month": time[:7]}.get(window, "")
