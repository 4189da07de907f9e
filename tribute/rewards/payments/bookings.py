"""What account messages have booked of a payment so far, as recon.csv keeps it, and when two bookings are one.

A bank tells of the same booking several times (a report of the day, a notification, the statement), and may book the
same payment twice. Its own references tell the two apart.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

from tribute.errors import IntegrityError
from tribute.rewards.bank_formats.formats import KINDS

PAID_TWICE = "paid_twice"
SECOND_RETURNED = "second_returned"
_DEBITS = ("paid", "paid_before", PAID_TWICE, "paid_after_return")
_CREDITS = ("returned", "returned_before", "returned_twice", SECOND_RETURNED)
_STRONG = ("AcctSvcrRef", "TxId", "UETR", "Ntry/AcctSvcrRef")
"""References that are the same in all messages about a booking, the most specific first."""


class Booking(NamedTuple):
    """One entry of an account, as a message tells of it; `references` is a query string."""

    kind: str
    message: str
    day: str
    references: str


@dataclass
class Bookings:
    """Of one payment: debits and credits that were told of, and how many second payments have not come back."""

    debits: list[Booking] = field(default_factory=list)
    credits: list[Booking] = field(default_factory=list)
    extra: int = 0


def earlier_bookings(files: Iterable[Path]) -> Mapping[str, Bookings]:
    """End-to-end id → what earlier reconciliations' recon.csv say. Raises IntegrityError naming a damaged file."""
    known: dict[str, Bookings] = defaultdict(Bookings)
    for path in files:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file, strict=True):
                    _take(known[row["end_to_end_id"]], row)
        except (OSError, ValueError, KeyError, csv.Error) as error:
            raise IntegrityError(f"{path}: cannot be read ({error!r}); restore the file") from error
    return known


def _take(bookings: Bookings, row: Mapping[str, str]) -> None:
    # Before version 0.2.0 the file had no column of references.
    booking = Booking(row["kind"], row["bank_message"], row["booked_at"], row.get("bank_references", ""))
    if row["outcome"] in _DEBITS:
        bookings.debits.append(booking)
    if row["outcome"] in _CREDITS:
        bookings.credits.append(booking)
    bookings.extra += (row["outcome"] == PAID_TWICE) - (row["outcome"] == SECOND_RETURNED)


def is_another(booking: Booking, known: Iterable[Booking]) -> bool:
    """Whether a booking is surely none of those that are known: it is like none, and unlike at least one."""
    likeness = {_same(booking, other) for other in known}
    return True not in likeness and False in likeness


def is_known(booking: Booking, known: Iterable[Booking]) -> bool:
    """Whether a booking is surely one of those that are known."""
    return any(_same(booking, other) for other in known)


def _same(first: Booking, second: Booking) -> bool | None:
    """Whether two bookings are one; None where nothing tells. What is no account message books nothing."""
    if not (_books(first) and _books(second)):
        return None
    references, others = parse_qs(first.references), parse_qs(second.references)
    for name in _STRONG:
        if name in references and name in others:
            return references[name] == others[name]
    if first.kind != second.kind:
        return None
    if first.message == second.message or first.day != second.day:
        # A message lists every entry once, and an entry has one day.
        return False
    # Reports of the same day number their entries anew.
    numbers = (references.get("NtryRef"), others.get("NtryRef"))
    return False if first.kind != "camt.052" and None not in numbers and numbers[0] != numbers[1] else None


def _books(booking: Booking) -> bool:
    """Whether an account message told of it. Lines of recon.csv that a person settled have no kind."""
    return booking.kind in KINDS and KINDS[booking.kind].books
