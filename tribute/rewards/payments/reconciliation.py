"""A bank's answer held against the payables of closed periods: `rewards/reconciliations/<16 digits>/recon.csv`.

What the bank paid is posted as PAY (and WITHHOLD for the tax kept back), what it sent back as RETURN, what it
refused as both, so that the next payables.csv hands it over anew. What it paid although it had refused it is posted as
a second PAY, unless another payables.csv has handed it over anew. A line that fits no payable, or fits with another
amount, is posted nowhere and stands in recon.csv with its reason. The folder is named by the file's sha256, of which
`source.json` has all: the file itself holds names and accounts, and is not kept.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tribute import ids
from tribute.digests import file_sha256
from tribute.errors import RewardError
from tribute.files import sync, sync_one, write_json
from tribute.rewards import tables
from tribute.rewards.ledger import accounts, balances, journal, ledger
from tribute.rewards.ledger.entries import Entry, move
from tribute.rewards.ledger.journal import mirror
from tribute.rewards.ledger.ledger import Ledger
from tribute.rewards.payments.bank_answers import Answer, BankFile, read_bank_file
from tribute.workspace import Workspace

RECON = "recon.csv"
SOURCE = "source.json"
"""sha256 of the bank's file and of its message's name, and the ledger's head after what was posted."""
FOLDER = "reconciliations"
AFTER_RETURN = "paid_after_return"
FOR_A_PERSON = ("unknown_payment", "currency_differs", "amount_differs", "returned_unpaid", AFTER_RETURN)
"""Outcomes where something is not as it should be."""
REJECTED = "rejected_by_bank"
"""The `reason_code` of a RETURN of what the bank never carried out."""

Row = dict[str, str]
Payables = Mapping[str, Row]
"""End-to-end id → line of payables.csv."""


def reconcile(workspace: Workspace, file: Path, day: str, rehearse: bool = False) -> tuple[Path, Counter[str]]:
    """Post what a bank's file says on `day`; returns recon.csv and how many lines came out how.

    With `rehearse` all is checked and nothing posted or written. Raises RewardError where the file cannot be read
    or was reconciled before.
    """
    try:
        digest = file_sha256(file)
    except OSError as error:
        raise RewardError(f"{file} cannot be read ({error.strerror}); give the file that the bank sent") from error
    with ledger.writing(workspace) as books:
        final = workspace.rewards / FOLDER / digest[:16]
        making = final.with_name(f".making-{final.name}")
        if _was_posted(making, books):
            lines = tables.read_csv(making / RECON, tables.RECON)
        else:
            payables = {row["end_to_end_id"]: row for row in balances.handed_over(workspace.rewards, books)}
            answered = read_bank_file(file, payables)
            _refuse_again(final, answered, file)
            entries = _entries(workspace.rewards, books, answered, payables, day)
            after = books.with_entries(entries)
            lines = _lines(books, after, answered, payables)
            if not rehearse:
                _write(making, lines, {"file_sha256": digest, "message_sha256": _message(answered)}, after.head)
                books.post(entries)
        if not rehearse:
            making.rename(final)
            sync_one(final.parent)
    return final / RECON, Counter(row["outcome"] for row in lines)


def _was_posted(making: Path, books: Ledger) -> bool:
    """Whether a crash came after the posting: then recon.csv, written before it, says what was posted."""
    if not (making / SOURCE).exists():
        return False
    head = json.loads((making / SOURCE).read_text(encoding="utf-8"))["ledger_head"]
    return head in {journal.GENESIS, *(posting.hash for posting in books.postings)}


def _refuse_again(final: Path, answered: BankFile, file: Path) -> None:
    if final.exists():
        raise RewardError(f"{file}: reconciled before, see {final / RECON}; a bank's file counts once")
    for other in sorted(final.parent.glob(f"[!.]*/{SOURCE}")) if answered.message else ():
        if json.loads(other.read_text(encoding="utf-8"))["message_sha256"] == _message(answered):
            raise RewardError(
                f"{file}: {answered.kind} {answered.message} was reconciled before, see {other.with_name(RECON)}; "
                "a bank's message counts once, however often it is sent"
            )


def _message(answered: BankFile) -> str:
    """Stands for a bank's message: two banks may give theirs the same id."""
    return hashlib.sha256(repr((answered.kind, answered.sender, answered.message)).encode()).hexdigest()


def _entries(rewards: Path, books: Ledger, answered: BankFile, payables: Payables, day: str) -> list[Entry]:
    """What is to be posted. A payment that the bank refused was handed over all the same: PAY and RETURN."""
    fitting = [one for one in answered.answers if not _misfit(one, payables.get(one.end_to_end_id))]
    made: list[Entry] = []
    for answer in fitting:
        payable = payables[answer.end_to_end_id]
        if answer.outcome in ("paid", "rejected") and not books.find(payable["idempotency_key"]):
            made += _pay(payable, payable["idempotency_key"], day)
    # A bank can send back what it paid in the same file.
    after = books.with_entries(made)
    flying = balances.in_flight(rewards, after)
    for answer in fitting:
        payable = payables[answer.end_to_end_id]
        if answer.outcome == "paid" and _was_refused(books, payable) and _still_there(after, payable, flying):
            again = _pay(payable, _again(payable), day)
            after.extend(again)
            made += again
    for answer in fitting:
        key = _told_of(after, answer, payables[answer.end_to_end_id])
        if answer.outcome in ("returned", "rejected") and after.find(key) and not after.find(_returned(key)):
            made += _return(after, key, day, answer.outcome)
    return made


def _was_refused(books: Ledger, payable: Row) -> bool:
    """Whether the last that an earlier file said is that the bank did not carry it out."""
    back = books.find(_returned(payable["idempotency_key"]))
    return bool(back) and back[0].reason == REJECTED and not books.find(_again(payable))


def _still_there(books: Ledger, payable: Row, flying: Mapping[tuple[str, str], int]) -> bool:
    """Whether its money is payable yet, and in no other payment that was handed over."""
    name, currency = ids.parse_payee_ref(payable["payee_ref"]), payable["currency"]
    free = books.balance(accounts.payable(name), currency) - flying.get((name, currency), 0)
    return free >= int(payable["amount_minor"]) + int(payable["withheld_minor"])


def _told_of(books: Ledger, answer: Answer, payable: Row) -> str:
    """The key of the PAY that an answer is about: the last, but what was refused is always the first."""
    again = _again(payable)
    return again if answer.outcome != "rejected" and books.find(again) else payable["idempotency_key"]


def _again(payable: Row) -> str:
    return f"{payable['idempotency_key']}/again"


def _lines(before: Ledger, after: Ledger, answered: BankFile, payables: Payables) -> list[Row]:
    """The lines of recon.csv, by end-to-end id."""
    lines = []
    seen: set[str] = set()
    returned = {one.end_to_end_id for one in answered.answers if one.outcome == "returned"}
    for answer in sorted(answered.answers, key=lambda one: (one.end_to_end_id, one.outcome)):
        payable = payables.get(answer.end_to_end_id)
        outcome, entry_id = _misfit(answer, payable) or answer.outcome, ""
        if payable and outcome in ("paid", "returned", "rejected"):
            key = _told_of(after, answer, payable)
            if outcome != "paid":
                key = _returned(key)
            entry_id = next((posting.entry_id for posting in after.find(key)), "")
            # A statement that has both the payment and its return repeats what other files said before.
            contradicts = outcome == "paid" and before.find(_returned(key)) and answer.end_to_end_id not in returned
            if not entry_id:
                outcome = "returned_unpaid"
            elif key in seen:
                outcome = f"{outcome}_before"
            elif contradicts or (outcome == "paid" and key == _again(payable) and not before.find(key)):
                outcome, entry_id = AFTER_RETURN, "" if contradicts else entry_id
            elif before.find(key):
                outcome = f"{outcome}_before"
            seen.add(key)
        lines.append(_line(answered, answer, payable, outcome, entry_id))
    return lines


def _misfit(answer: Answer, payable: Row | None) -> str:
    if payable is None:
        return "unknown_payment"
    if answer.amount_minor is None:
        return ""
    if answer.currency != payable["currency"]:
        return "currency_differs"
    return "" if answer.amount_minor == int(payable["amount_minor"]) else "amount_differs"


def _returned(key: str) -> str:
    return f"{key}/return"


def _pay(payable: Row, key: str, day: str) -> list[Entry]:
    """WITHHOLD before PAY, so that the last is the payment itself."""
    name = ids.parse_payee_ref(payable["payee_ref"])
    about = {"posted_at": day, "currency": payable["currency"], "contributor_id": name}
    made = []
    if withheld := int(payable["withheld_minor"]):
        text = {"idempotency_key": f"{key}/withhold", "reason_code": "tax_withheld"}
        made.append(move("WITHHOLD", withheld, accounts.payable(name), accounts.TAX, **about, **text))
    text = {"idempotency_key": key, "reason_code": "paid_by_bank"}
    paid = move("PAY", int(payable["amount_minor"]), accounts.payable(name), accounts.BANK, **about, **text)
    return [*made, paid]


def _return(books: Ledger, key: str, day: str, why: str) -> list[Entry]:
    """The mirrors of a payment and of the tax withheld with it."""
    about = {"posted_at": day, "reason_code": f"{why}_by_bank"}
    found = [one for one in (f"{key}/withhold", key) if books.find(one)]
    return [mirror("RETURN", books.find(one), key=_returned(one), **about) for one in found]


def _line(answered: BankFile, answer: Answer, payable: Row | None, outcome: str, entry_id: str) -> Row:
    return {
        "end_to_end_id": answer.end_to_end_id if payable else _safe(answer.end_to_end_id),
        "payment_id": payable["payment_id"] if payable else "",
        "statement_id": payable["statement_id"] if payable else "",
        "currency": payable["currency"] if payable else _safe(answer.currency),
        "amount_minor": "" if answer.amount_minor is None else str(answer.amount_minor),
        "expected_minor": payable["amount_minor"] if payable else "",
        "booked_at": _safe(answer.booked_at),
        "outcome": outcome,
        "entry_id": entry_id,
        "bank_reason": _safe(answer.reason),
        "kind": answered.kind,
        "bank_message": _safe(answered.message),
    }


def _safe(text: str) -> str:
    """What a bank wrote, so that no spreadsheet runs it: an apostrophe before what could be a formula."""
    return f"'{text}" if text[:1] in tables.FORMULAS else text


def _write(making: Path, rows: list[Row], source: Mapping[str, str], head: str) -> None:
    """Before anything is posted; `head` will be the ledger's after it."""
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    tables.write_csv(making / RECON, tables.RECON, rows)
    write_json(making / SOURCE, {**source, "ledger_head": head}, sort_keys=True)
    sync(making)
