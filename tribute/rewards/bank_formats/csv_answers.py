"""A bank's answer as CSV, a line per payment."""

import csv
import io
from collections.abc import Container, Iterator

from tribute.errors import RewardError
from tribute.rewards.bank_formats.messages import Answer, Kind, Outcome, minor_of

KINDS = {"csv": Kind()}
CSV_COLUMNS = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
"""A bank's answer as CSV; `amount` in major units, `status` paid, returned, rejected or pending."""
_OUTCOMES: dict[str, Outcome] = {
    "paid": "paid", "returned": "returned", "rejected": "rejected", "pending": "pending"
}  # fmt: skip


def answers_of(text: str, ours: Container[str]) -> Iterator[Answer]:
    """The answers in the file's text, amounts of `ours` alone. Raises RewardError naming the line."""
    reader = csv.reader(io.StringIO(text, newline=""))
    columns, expected = ",".join(next(reader, ())), ",".join(CSV_COLUMNS)
    if columns != expected:
        raise RewardError(f"columns {columns!r}, expected {expected!r}")
    for fields in filter(None, reader):
        if len(fields) != len(CSV_COLUMNS):
            raise RewardError(
                f"line {reader.line_num}: {len(fields)} fields, expected {len(CSV_COLUMNS)}; "
                "a field that holds a comma stands in double quotes"
            )
        id_, currency, amount, status, booked_at, reason = fields
        if status not in _OUTCOMES:
            raise RewardError(f"line {reader.line_num}: status {status!r}, expected one of {', '.join(_OUTCOMES)}")
        minor = minor_of(id_, amount, currency) if id_ in ours else None
        yield Answer(id_, _OUTCOMES[status], currency, minor, booked_at, reason)
