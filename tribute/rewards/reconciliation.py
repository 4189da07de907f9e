"""A bank's answer held against the payables of closed periods: `rewards/reconciliations/<sha256>/recon.csv`.

What the bank paid is posted as PAY (and WITHHOLD for the tax kept back), what it sent back as RETURN, what it
refused as both, so that the next payables.csv hands it over anew. A line that
fits no payable, or fits with another amount, is posted nowhere and stands in recon.csv with its reason. Of the
bank's file only the sha256 is kept: it holds names and accounts.
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tribute.artifacts import file_sha256, sync
from tribute.errors import RewardError
from tribute.rewards import accounts, ledger, tables
from tribute.rewards.bank import Answer, BankFile, read_bank_file
from tribute.rewards.entries import Entry, Row, mirror, move
from tribute.rewards.ledger import Ledger
from tribute.rewards.payments import contributor_of
from tribute.workspace import Workspace

RECON = "recon.csv"
FOLDER = "reconciliations"
FOR_A_PERSON = ("unknown_payment", "amount_differs", "returned_unpaid")
"""Outcomes that post nothing because something is not as it should be."""

Payables = Mapping[str, Row]
"""End-to-end id → line of payables.csv."""


def reconcile(workspace: Workspace, file: Path, day: str, rehearse: bool = False) -> tuple[Path, Counter[str]]:
    """Post what a bank's file says on `day`; returns recon.csv and how many lines came out how.

    With `rehearse` all is checked and nothing posted or written. Raises RewardError where the file cannot be read
    or was reconciled before.
    """
    answered, digest = read_bank_file(file), file_sha256(file)
    with ledger.opened(workspace) as books:
        final = workspace.rewards / FOLDER / digest[:16]
        _refuse_again(final, answered, file)
        payables = _payables(workspace.rewards, books)
        entries = _entries(books, answered, payables, day)
        lines = _lines(books, books.with_entries(entries), answered, payables)
        if not rehearse:
            books.post(entries)
            _write(final, answered, digest, lines)
    return final / RECON, Counter(row["outcome"] for row in lines)


def _refuse_again(final: Path, answered: BankFile, file: Path) -> None:
    if final.exists():
        raise RewardError(f"{file}: reconciled before, see {final / RECON}; a bank's file counts once")
    for other in sorted(final.parent.glob(f"*/{RECON}")) if answered.message else ():
        first = next(iter(tables.read_csv(other, tables.RECON)), None)
        if first and (first["kind"], first["bank_message"]) == (answered.kind, answered.message):
            raise RewardError(
                f"{file}: {answered.kind} {answered.message} was reconciled before, see {other}; "
                "a bank's message counts once, however often it is sent"
            )


def _payables(rewards: Path, books: Ledger) -> Payables:
    found: dict[str, Row] = {}
    for period in books.closed:
        for row in tables.read_csv(rewards / period / "payables.csv", tables.PAYABLES):
            found[row["end_to_end_id"]] = row
    return found


def _entries(books: Ledger, answered: BankFile, payables: Payables, day: str) -> list[Entry]:
    """What is to be posted. A payment that the bank refused was handed over all the same: PAY and RETURN."""
    fitting = [one for one in answered.answers if not _misfit(one, payables.get(one.end_to_end_id))]
    made: list[Entry] = []
    for answer in fitting:
        payable = payables[answer.end_to_end_id]
        if answer.outcome in ("paid", "rejected") and not books.find(payable["idempotency_key"]):
            made += _pay(payable, day)
    # A bank can send back what it paid in the same file.
    after = books.with_entries(made)
    for answer in fitting:
        key = payables[answer.end_to_end_id]["idempotency_key"]
        if answer.outcome in ("returned", "rejected") and after.find(key) and not after.find(_returned(key)):
            made += _return(after, key, day, answer.outcome)
    return made


def _lines(before: Ledger, after: Ledger, answered: BankFile, payables: Payables) -> list[Row]:
    """The lines of recon.csv, by end-to-end id."""
    lines = []
    seen: set[str] = set()
    for answer in sorted(answered.answers, key=lambda one: (one.end_to_end_id, one.outcome)):
        payable = payables.get(answer.end_to_end_id)
        outcome, entry_id = _misfit(answer, payable) or answer.outcome, ""
        if payable and outcome in ("paid", "returned", "rejected"):
            key = payable["idempotency_key"] if outcome == "paid" else _returned(payable["idempotency_key"])
            entry_id = next((row["entry_id"] for row in after.find(key)), "")
            if not entry_id:
                outcome = "returned_unpaid"
            elif before.find(key) or key in seen:
                outcome = f"{outcome}_before"
            seen.add(key)
        lines.append(_line(answered, answer, payable, outcome, entry_id))
    return lines


def _misfit(answer: Answer, payable: Row | None) -> str:
    if payable is None:
        return "unknown_payment"
    expected = (payable["currency"], int(payable["amount_minor"]))
    found = (answer.currency, answer.amount_minor)
    return "" if answer.amount_minor is None or found == expected else "amount_differs"


def _returned(key: str) -> str:
    return f"{key}/return"


def _pay(payable: Row, day: str) -> list[Entry]:
    """WITHHOLD before PAY, so that the last is the payment itself."""
    name, key = contributor_of(payable), payable["idempotency_key"]
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


def _write(final: Path, answered: BankFile, digest: str, rows: list[Row]) -> None:
    making = final.with_name(f".making-{final.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    tables.write_csv(making / RECON, tables.RECON, rows)
    (making / "bank-file.sha256").write_text(f"{digest}  {answered.kind}\n", encoding="utf-8")
    sync(making)
    making.rename(final)
