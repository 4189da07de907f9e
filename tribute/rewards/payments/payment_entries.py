"""The entries that record what a bank did: PAY and WITHHOLD, their RETURN, and FEE. Pure: postings in, entries out."""

from tribute.ids import parse_payee_ref
from tribute.rewards.bank_formats.pain001 import Row
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry, move
from tribute.rewards.ledger.journal import mirror
from tribute.rewards.payments.outcomes import Postings, fee, returned

PAID = "paid_by_bank"


def entries_of(books: Ledger, postings: Postings, day: str, reason: str = "") -> list[Entry]:
    """Payments first, because a bank can send back what it paid in the same file; `reason` follows each reason code."""
    paid = [entry for key, payable in postings.pays.items() for entry in pay(payable, key, day, _code(PAID, reason))]
    after = books.with_entries(paid)
    back = [entry for key, code in postings.returns.items() for entry in _return(after, key, day, _code(code, reason))]
    fees = [
        _fee(payable, minor, key, day, _code("bank_fee", reason)) for key, (payable, minor) in postings.fees.items()
    ]
    return [*paid, *back, *fees]


def pay(payable: Row, key: str, day: str, code: str) -> list[Entry]:
    """WITHHOLD before PAY, so that the last is the payment itself."""
    name = parse_payee_ref(payable["payee_ref"])
    about = {"posted_at": day, "currency": payable["currency"], "contributor_id": name}
    entries = []
    if withheld := int(payable["withheld_minor"]):
        text = {"idempotency_key": f"{key}/withhold", "reason_code": "tax_withheld"}
        entries.append(move("WITHHOLD", withheld, accounts.payable(name), accounts.TAX, **about, **text))
    text = {"idempotency_key": key, "reason_code": code}
    paid = move("PAY", int(payable["amount_minor"]), accounts.payable(name), accounts.BANK, **about, **text)
    return [*entries, paid]


def _return(books: Ledger, key: str, day: str, code: str) -> list[Entry]:
    """The mirrors of a payment and of the tax withheld with it."""
    posted = [part for part in (f"{key}/withhold", key) if books.find(part)]
    return [mirror("RETURN", books.find(part), posted_at=day, key=returned(part), reason_code=code) for part in posted]


def _fee(payable: Row, minor: int, key: str, day: str, code: str) -> Entry:
    """The payer's cost: it lessens nobody's money, so it names no contributor."""
    about = {"posted_at": day, "currency": payable["currency"], "idempotency_key": fee(key), "reason_code": code}
    return move("FEE", minor, accounts.BANK_FEES, accounts.BANK, **about)


def _code(code: str, reason: str) -> str:
    return f"{code}: {reason}" if reason else code
