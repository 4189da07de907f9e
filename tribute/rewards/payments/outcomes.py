"""What becomes of each answer of a bank: what it says is posted, was known before, or is for a person. Posts nothing.

The answers about a payment are taken in this order: paid, returned, rejected, pending. A booking stands, whatever a
status report says before or after it. The keys name entries of the ledger: `<key>` the PAY of a payment, `<key>/again`
its second where the bank paid after all what it had refused, and `<either>/return` their RETURN.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tribute.rewards.bank_formats.messages import NEVER_ORDERED, SIGN_DIFFERS, Answer, BankMessage, Outcome
from tribute.rewards.bank_formats.pain001 import Row
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.payments.bookings import PAID_TWICE, SECOND_RETURNED, Booking, Bookings, is_another, is_known
from tribute.rewards.payments.orders import BATCH_DIFFERS, Orders, fee_of, misfit

REJECTED = "rejected_by_bank"
"""How the `reason_code` of a RETURN begins where the bank never carried the payment out."""
AFTER_RETURN = "paid_after_return"
REJECTED_AFTER_PAID = "rejected_after_paid"
RETURNED_TWICE = "returned_twice"
UNPAID = "returned_unpaid"
FOR_A_PERSON = (
    *(NEVER_ORDERED, BATCH_DIFFERS, "currency_differs", "amount_differs", SIGN_DIFFERS),
    *(PAID_TWICE, AFTER_RETURN, UNPAID, RETURNED_TWICE, REJECTED_AFTER_PAID),
)
"""Outcomes where something is not as it should be."""
_ORDER: Mapping[Outcome, int] = {"paid": 0, "returned": 1, "rejected": 2, "pending": 3}


def in_words(outcome: str) -> str:
    """An outcome as a message to a person has it."""
    return "not ours" if outcome == "unknown_payment" else outcome.replace("_", " ")


class Verdict(NamedTuple):
    """An answer, what came of it, and the key of the entry that records it (empty where none does)."""

    message: BankMessage
    answer: Answer
    outcome: str
    key: str = ""


@dataclass
class Postings:
    """What is to be posted: PAY by its key, RETURN by the key of its PAY, fee by that of what it came with."""

    pays: dict[str, Row] = field(default_factory=dict)
    returns: dict[str, str] = field(default_factory=dict)
    """Key of a PAY → the reason code of its RETURN."""
    fees: dict[str, tuple[Row, int]] = field(default_factory=dict)
    """Key of a PAY or RETURN → the payment and the minor units that the bank took beside it."""


def again(key: str) -> str:
    """The key of the second PAY, of what the bank had refused and paid after all."""
    return f"{key}/again"


def returned(key: str) -> str:
    """The key of the RETURN of a PAY."""
    return f"{key}/return"


def fee(key: str) -> str:
    """The key of what the bank took beside a PAY or RETURN."""
    return f"{key}/fee"


class Payment:
    """One payment as the ledger has it, and as the answers change it; `standing` is the key of the PAY that counts."""

    def __init__(self, books: Ledger, payable: Row, bookings: Bookings) -> None:
        self.payable, self.bookings = payable, bookings
        self.key = payable["idempotency_key"]
        self.posted = [key for key in (self.key, again(self.key)) if books.find(key)]
        back = books.find(returned(self.key))
        self.refused = bool(back) and back[0].reason.startswith(REJECTED)
        self.standing = next((key for key in self.posted if not books.find(returned(key))), "")

    def pay(self, key: str, postings: Postings) -> None:
        """Post a PAY."""
        self.posted.append(key)
        self.standing = key
        postings.pays[key] = self.payable

    def send_back(self, postings: Postings, reason: str) -> str:
        """Post the RETURN of the PAY that stands; returns its key."""
        key, self.standing = self.standing, ""
        postings.returns[key] = reason
        return returned(key)


def judge(
    books: Ledger,
    orders: Orders,
    answers: Iterable[tuple[BankMessage, Answer]],
    earlier: Mapping[str, Bookings],
    is_free: Callable[[Row], bool],
) -> tuple[list[Verdict], Postings]:
    """Every answer's outcome, by end-to-end id, and what they post together.

    `is_free` tells whether a payment's money is payable yet and in no other payment that was handed over; each time
    it says so, the money is taken.
    """
    postings, verdicts = Postings(), []
    payments: dict[str, Payment] = {}
    ordered = sorted(answers, key=lambda pair: (pair[1].end_to_end_id, _ORDER[pair[1].outcome], pair[1].booked_at))
    came_back = {answer.end_to_end_id for _, answer in ordered if answer.outcome == "returned"}
    for message, answer in ordered:
        id_, payable = answer.end_to_end_id, orders.payments.get(answer.end_to_end_id)
        fault = answer.doubt or ("unknown_payment" if payable is None else _misfit(answer, payable))
        if fault or payable is None:
            verdicts.append(Verdict(message, answer, fault))
            continue
        if id_ not in payments:
            payments[id_] = Payment(books, payable, earlier.get(id_) or Bookings())
        booking = Booking(message.kind, message.message, answer.booked_at, answer.references)
        if answer.outcome == "paid":
            outcome, key = _paid(payments[id_], booking, postings, id_ in came_back, is_free)
        elif answer.outcome == "returned":
            outcome, key = _returned(payments[id_], booking, postings)
        elif answer.outcome == "rejected":
            outcome, key = _rejected(payments[id_], postings)
        else:
            outcome, key = "pending", ""
        minor = fee_of(answer, int(payable["amount_minor"]), payable["currency"])
        if minor and key and not books.find(fee(key)):
            postings.fees.setdefault(key, (payable, minor))
        verdicts.append(Verdict(message, answer, outcome, key))
    return verdicts, postings


def _misfit(answer: Answer, payable: Row) -> str:
    return misfit(answer, int(payable["amount_minor"]), payable["currency"])


def _paid(
    payment: Payment, booking: Booking, postings: Postings, came_back: bool, is_free: Callable[[Row], bool]
) -> tuple[str, str]:
    debits = payment.bookings.debits
    known, other = is_known(booking, debits), is_another(booking, debits)
    debits.append(booking)
    if not payment.posted:
        payment.pay(payment.key, postings)
        return "paid", payment.key
    if payment.standing:
        if other:
            payment.bookings.extra += 1
            return PAID_TWICE, ""
        return "paid_before", payment.standing
    if payment.refused and len(payment.posted) == 1:
        if is_free(payment.payable):
            payment.pay(again(payment.key), postings)
        return AFTER_RETURN, payment.standing
    # A statement that has both the payment and its return repeats what other messages said before.
    if came_back or known:
        return "paid_before", payment.posted[-1]
    return AFTER_RETURN, ""


def _returned(payment: Payment, booking: Booking, postings: Postings) -> tuple[str, str]:
    credits = payment.bookings.credits
    if not payment.posted:
        return UNPAID, ""
    known, other = is_known(booking, credits), is_another(booking, credits) or not credits
    credits.append(booking)
    if known:
        return "returned_before", "" if payment.standing else returned(payment.posted[-1])
    if payment.bookings.extra:
        payment.bookings.extra -= 1
        return SECOND_RETURNED, ""
    if payment.standing and other:
        return "returned", payment.send_back(postings, "returned_by_bank")
    if payment.standing or (other and len(credits) > 1):
        # Where one of two payments came back, a credit without the bank's reference may be of either.
        return RETURNED_TWICE, ""
    return "returned_before", returned(payment.posted[-1])


def _rejected(payment: Payment, postings: Postings) -> tuple[str, str]:
    """A payment that the bank refused was handed over all the same: PAY and RETURN."""
    if not payment.posted:
        payment.pay(payment.key, postings)
        payment.refused = True
        return "rejected", payment.send_back(postings, REJECTED)
    if payment.standing and not payment.refused:
        return REJECTED_AFTER_PAID, ""
    return "rejected_before", returned(payment.key)


def refused_payments(books: Ledger, orders: Orders, messages: Iterable[BankMessage]) -> set[str]:
    """End-to-end ids of payments that the bank did not carry out, by the ledger or by these messages."""
    payments = (Payment(books, payable, Bookings()) for payable in orders.payments.values())
    before = {payment.payable["end_to_end_id"] for payment in payments if payment.refused and not payment.standing}
    answers = (answer for message in messages for answer in message.answers if isinstance(answer, Answer))
    return before | {answer.end_to_end_id for answer in answers if answer.outcome == "rejected"}
