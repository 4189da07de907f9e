"""MT940, SWIFT's account statement as text, which some banks still send instead of camt.053.

It has no field for the end-to-end id: banks put it somewhere into the information (`:86:`), as `EREF+…` in numbered
fields or as `/EREF/…`, broken over lines. So ids are looked for by the form that Tribute gives them.
"""

import re
from collections.abc import Container
from typing import Any
from urllib.parse import urlencode

from tribute.errors import RewardError
from tribute.rewards.bank_formats.messages import (
    SIGN_DIFFERS,
    Answer,
    BankMessage,
    BatchAnswer,
    Kind,
    Outcome,
    minor_of,
)

KIND = "mt940"
KINDS = {KIND: Kind(books=True)}
_STATEMENT = re.compile(r"^:\s*20:", re.MULTILINE)
_ENTRY = re.compile(r"^:\s*61:", re.MULTILINE)
_FIELD = re.compile(r"[?~^<]\d\d|\s")
"""What breaks an id into pieces: the number of the next field, the end of a line."""
_PAYMENT = re.compile(r"\d{6}-[0-9a-f]{24}")
_BATCH = re.compile(r"\d{4}-\d{2}-[0-9a-f]{20}(?:-\d+)?")
_REASON = re.compile(r"/RTRN/(\w{2,4})\b")
_NO_REFERENCE = (None, "", "NONREF")


def is_mt940(text: str) -> bool:
    """Whether a text has the first fields of a statement: transaction reference and account."""
    return bool(_STATEMENT.search(text)) and ":25:" in text


def read_statements(text: str, ours: Container[str]) -> list[BankMessage]:
    """The statements in a text, entries of others left out. Raises RewardError for one that does not add up."""
    from mt940.options import Options
    from mt940.parser import parse_statements

    options = Options(merge_keeps_values=True, reversal_sign=True, case_insensitive_marks=True, unbounded_details=True)
    try:
        statements = parse_statements(text, processors={"post_transaction_details": []}, options=options)
    except Exception as error:  # whatever a damaged field raises in the library
        raise RewardError(f"an MT940 that cannot be read ({error}); ask the bank for camt.053") from error
    if len(_ENTRY.findall(text)) != sum(len(statement.transactions) for statement in statements):
        raise RewardError("an MT940 with entries that cannot be read; ask the bank for camt.053")
    return [_message(statement, ours) for statement in statements]


def _message(statement: Any, ours: Container[str]) -> BankMessage:
    opening, closing = (
        next((data for name in names if (data := statement.data.get(name))), None)
        for names in (
            ("final_opening_balance", "intermediate_opening_balance"),
            ("final_closing_balance", "intermediate_closing_balance"),
        )
    )
    number = f"{statement.data.get('statement_number') or 0}/{statement.data.get('sequence_number') or 0}"
    if opening is None or closing is None:
        raise RewardError(
            f"MT940 statement {number}: no balance (:60F:, :62F:); give the whole MT940, not an MT942 of the day"
        )
    moved = sum(entry.data["amount"].amount for entry in statement.transactions)
    if opening.amount.amount + moved != closing.amount.amount:
        raise RewardError(
            f"MT940 statement {number}: {opening.amount} and entries of {moved} are not {closing.amount}; "
            "give the file as the bank sent it"
        )
    answers = (_answer(entry.data, str(closing.amount.currency), ours) for entry in statement.transactions)
    message = f"{opening.date} {closing.date} {number}"
    account = str(statement.data.get("account_identification") or "").strip()
    return BankMessage(KIND, account, message, tuple(answer for answer in answers if answer is not None))


def _answer(entry: dict[str, Any], currency: str, ours: Container[str]) -> Answer | BatchAnswer | None:
    """What an entry says of a payment or a batch of ours; None where it names neither."""
    details = str(entry.get("transaction_details") or "")
    flat = _FIELD.sub("", details).lower()
    payments, batches = (tuple(dict.fromkeys(form.findall(flat))) for form in (_PAYMENT, _BATCH))
    if not payments and not batches:
        return None
    first = (*payments, *batches)[0]
    mark = str(entry["status"]).upper()
    outcome: Outcome = "paid" if mark in ("D", "RC") else "returned"
    reason = _REASON.search(_FIELD.sub("", details))
    reference = str(entry.get("bank_reference") or "").strip()
    answer = Answer(
        first if len(payments) == 1 else "",
        outcome,
        currency,
        minor_of(first, str(abs(entry["amount"].amount)), currency) if first in ours else None,
        str(entry.get("entry_date") or entry["date"]),
        reason[1] if reason else "",
        references="" if reference in _NO_REFERENCE else urlencode({"Ntry/AcctSvcrRef": reference}),
        doubt=SIGN_DIFFERS if mark == "RC" else "",
    )
    if len(payments) == 1:
        return answer
    return BatchAnswer(answer, "" if payments else next((id_ for id_ in batches if id_ in ours), first), payments)
