"""A bank's answer as CSV, a line per payment."""

import csv
import io
from collections.abc import Container, Iterator

from tribute.errors import RewardError
from tribute.months import checked_day
from tribute.rewards.bank_formats.messages import Answer, Kind, Outcome, minor_of

KINDS = {"csv": Kind()}
CSV_COLUMNS = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
"""A bank's answer as CSV; `amount` in major units, `status` paid, returned, rejected or pending."""
_OUTCOMES: dict[str, Outcome] = {
    "paid": "paid", "returned": "returned", "rejected": "rejected", "pending": "pending"
}  # fmt: skip


def answers_of(text: str, ours: Container[str]) -> Iterator[Answer]:
    """The answers in the file's text, amounts of `ours` alone. Raises RewardError naming the line."""
    first, expected = text.partition("\n")[0].strip("\r"), ",".join(CSV_COLUMNS)
    # Spreadsheets of countries with a decimal comma separate by semicolons.
    separator = next((mark for mark in ",;\t" if first == mark.join(CSV_COLUMNS)), None)
    if separator is None:
        raise RewardError(f"columns {first!r}, expected {expected!r}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(reader)
    for fields in filter(None, reader):
        if len(fields) != len(CSV_COLUMNS):
            raise RewardError(
                f"line {reader.line_num}: {len(fields)} fields, expected {len(CSV_COLUMNS)}; "
                "a field that holds a comma stands in double quotes"
            )
        id_, currency, amount, status, booked_at, reason = fields
        if status not in _OUTCOMES:
            raise RewardError(f"line {reader.line_num}: status {status!r}, expected one of {', '.join(_OUTCOMES)}")
        _check_day(booked_at, reader.line_num)
        if separator != ",":
            amount = amount.replace(",", ".")
        minor = minor_of(id_, amount, currency) if id_ in ours else None
        yield Answer(id_, _OUTCOMES[status], currency, minor, booked_at, reason)


def _check_day(booked_at: str, line: int) -> None:
    """Raise RewardError naming the line where there is something else than a day."""
    try:
        checked_day(booked_at or "2026-12-04")
    except RewardError as error:
        raise RewardError(f"line {line}: booked_at: {error}") from error
