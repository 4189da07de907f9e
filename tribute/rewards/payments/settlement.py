"""What a person decides about a payment whose answer does not fit: it was paid, came back, or was never carried out.

It posts what an answer of the bank would have posted that fits, and the difference: more than the payment left the
account, or less came back, and the rest is the bank's fee; less left it, and the rest is payable again. Where an
entry moves more than the policy lets one person post, a second closer has to decide the same (`second_name.py`).
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from tribute.errors import RewardError
from tribute.formatting import money
from tribute.money import parse_amount
from tribute.rewards import second_name
from tribute.rewards.bank_formats.pain001 import Row
from tribute.rewards.ledger import accounts, balances, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.payments.bookings import Bookings
from tribute.rewards.payments.orders import Orders
from tribute.rewards.payments.outcomes import REJECTED, Payment, Postings, again
from tribute.rewards.payments.payment_entries import entries_of
from tribute.rewards.payments.reconciliation import free_money
from tribute.rewards.second_name import Approval, Proposal, Signing
from tribute.workspace import Workspace


class Settlement(NamedTuple):
    """A decision about `payment` (its payment or end-to-end id), in words and by whom.

    `amount` is what really left the account or came back to it, in major units; by default all of it. `day` is the
    day of posting.
    """

    payment: str
    outcome: Literal["paid", "returned", "rejected"]
    amount: str | None
    by: str
    why: str
    day: str


class Settled(NamedTuple):
    """The entries of a decision, and who signed it; they are posted unless a second closer has to sign, too."""

    entries: list[Entry]
    approval: Approval


def settle(
    workspace: Workspace, decision: Settlement, signing: Signing | None = None, rehearse: bool = False
) -> Settled:
    """Post a decision and return its entries; with `rehearse` nothing is posted.

    Raises RewardError for a payment that no closed period handed over, where the ledger says it already, and where
    somebody has to sign.
    """
    with ledger.writing(workspace) as books:
        books.calendar.check_day(decision.day)
        orders = Orders(balances.handed_over(workspace.rewards, books))
        payable = _payable(orders, decision.payment)
        currency = payable["currency"]
        amount = None if decision.amount is None else parse_amount(decision.amount, currency)
        payment, postings = Payment(books, payable, Bookings()), Postings()
        if decision.outcome == "paid":
            _settle_paid(payment, postings, amount, lambda: free_money(workspace.rewards, books)(payable))
        elif decision.outcome == "returned":
            _settle_returned(books, payment, postings, amount)
        else:
            _settle_rejected(payment, postings, amount)
        entries = entries_of(books, postings, decision.day, f"{decision.by}: {decision.why}")
        largest = max(minor for entry in entries for _, minor in entry.lines)
        # A payment's id begins with the period that handed it over.
        proposal = Proposal(entries, payable["payment_id"][: len(books.open_period)], largest)
        approval = second_name.approve(workspace, books, proposal, signing, rehearse)
        if rehearse or approval.waits:
            books.with_entries(entries)
        else:
            books.post(entries)
    return Settled(entries, approval)


def _payable(orders: Orders, id_: str) -> Row:
    for row in orders.payments.values():
        if id_ in (row["payment_id"], row["end_to_end_id"]):
            return row
    raise RewardError(
        f"{id_!r} is no payment that a closed period handed over; "
        "give a payment_id or end_to_end_id of rewards/PERIOD/payables.csv"
    )


def _settle_paid(payment: Payment, postings: Postings, amount: int | None, is_free: Callable[[], bool]) -> None:
    ordered, currency = int(payment.payable["amount_minor"]), payment.payable["currency"]
    moved = ordered if amount is None else amount
    key = payment.standing
    if key and moved <= ordered:
        raise RewardError(
            f"{_name(payment)} is recorded as paid (ordered: {money(ordered, currency)}); nothing is left to settle"
        )
    if not key and payment.posted and not (len(payment.posted) == 1 and is_free()):
        raise RewardError(f"{_name(payment)} came back and a later payables.csv has its money; settle that payment")
    if not key:
        key = again(payment.key) if payment.posted else payment.key
        payment.pay(key, postings)
        postings.pays[key] = {**payment.payable, "amount_minor": str(min(moved, ordered))}
    if moved > ordered:
        postings.fees[key] = (payment.payable, moved - ordered)


def _settle_returned(books: Ledger, payment: Payment, postings: Postings, amount: int | None) -> None:
    if not payment.standing:
        raise RewardError(
            f"{_name(payment)} is not recorded as paid, so nothing can come back; settle it as paid first"
        )
    paid = sum(posting.credit for posting in books.find(payment.standing) if posting.account == accounts.BANK)
    came = paid if amount is None else amount
    if came > paid:
        currency = payment.payable["currency"]
        raise RewardError(f"{money(came, currency)} came back of {money(paid, currency)} paid; give what belongs to it")
    key = payment.send_back(postings, "returned_by_bank")
    if came < paid:
        postings.fees[key] = (payment.payable, paid - came)


def _settle_rejected(payment: Payment, postings: Postings, amount: int | None) -> None:
    if amount is not None:
        raise RewardError("what was rejected moved no money; leave --amount out, or settle it as paid or returned")
    if payment.posted and not payment.standing:
        raise RewardError(f"{_name(payment)} is payable again already; nothing is left to settle")
    if not payment.posted:
        payment.pay(payment.key, postings)
    payment.send_back(postings, REJECTED)


def _name(payment: Payment) -> str:
    return payment.payable["payment_id"]
