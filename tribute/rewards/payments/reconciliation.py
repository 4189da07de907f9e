"""A bank's file compared with the payables of closed periods: `rewards/reconciliations/<16 digits>/recon.csv`.

What the bank paid is posted as PAY (and WITHHOLD for the tax kept back), what it sent back as RETURN, what it
refused as both, so that the next payables.csv includes it again, and what it took beside a payment as FEE. An answer
that fits no payment of ours as it is gets its reason in recon.csv and posts nothing; `outcomes` decides. The folder
is named by the file's sha256, of which `source.json` has all: the file itself holds names and accounts, and is not
kept.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tribute.digests import file_sha256
from tribute.errors import RewardError
from tribute.files import sync, sync_one, write_json
from tribute.ids import parse_payee_ref
from tribute.rewards import tables
from tribute.rewards.bank_formats.formats import KINDS, read_bank_file
from tribute.rewards.bank_formats.messages import BankMessage
from tribute.rewards.bank_formats.pain001 import Row
from tribute.rewards.ledger import accounts, balances, journal, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.payments.bookings import earlier_bookings
from tribute.rewards.payments.orders import Orders
from tribute.rewards.payments.outcomes import Verdict, judge, refused_payments
from tribute.rewards.payments.payment_entries import entries_of
from tribute.strict import parse_json
from tribute.workspace import Workspace

RECON = "recon.csv"
SOURCE = "source.json"
"""sha256 of the bank's file and of its messages' names, and the ledger's head after what was posted."""
FOLDER = "reconciliations"


class Reconciliation(NamedTuple):
    """Where recon.csv is, how many lines have which outcome, and which messages were reconciled before."""

    path: Path
    outcomes: Counter[str]
    skipped: tuple[str, ...]


def reconcile(workspace: Workspace, file: Path, day: str, rehearse: bool = False) -> Reconciliation:
    """Post what a bank's file says on `day`.

    With `rehearse` all is checked and nothing posted or written. Raises RewardError where the file cannot be read,
    or all that it holds was reconciled before.
    """
    try:
        digest = file_sha256(file)
    except OSError as error:
        raise RewardError(f"{file} cannot be read ({error.strerror}); give the file that the bank sent") from error
    with ledger.writing(workspace) as books:
        books.check_day(day)
        final = workspace.rewards / FOLDER / digest[:16]
        making = final.with_name(f".making-{final.name}")
        skipped: tuple[str, ...] = ()
        if _was_posted(making, books):
            lines: Sequence[Row] = tables.read_csv(making / RECON, tables.RECON)
        else:
            orders = Orders(balances.handed_over(workspace.rewards, books))
            messages, skipped = _new_messages(final, read_bank_file(file, orders), file)
            verdicts, entries = _judged(workspace.rewards, books, orders, messages, day)
            after = books.with_entries(entries)
            lines = [_line(verdict, orders, after) for verdict in verdicts]
            _refuse_early(lines, day)
            if not rehearse:
                names = [_digest(message) for message in messages]
                _write(making, lines, {"file_sha256": digest, "message_sha256": " ".join(names)}, after.head)
                books.post(entries)
        if not rehearse:
            making.rename(final)
            sync_one(final.parent)
    return Reconciliation(final / RECON, Counter(row["outcome"] for row in lines), skipped)


def _was_posted(making: Path, books: Ledger) -> bool:
    """Whether a crash came after the posting: then recon.csv, written before it, says what was posted."""
    if not (making / SOURCE).exists():
        return False
    head = parse_json((making / SOURCE).read_text(encoding="utf-8"))["ledger_head"]
    return head in {journal.GENESIS, *(posting.hash for posting in books.postings)}


def _new_messages(
    final: Path, messages: Sequence[BankMessage], file: Path
) -> tuple[list[BankMessage], tuple[str, ...]]:
    """The messages that were not reconciled before, each once, and what the others are called."""
    if final.exists():
        raise RewardError(f"{file}: reconciled before, see {final / RECON}; a bank's file counts once")
    known = {
        digest: other.with_name(RECON)
        for other in sorted(final.parent.glob(f"[!.]*/{SOURCE}"))
        for digest in parse_json(other.read_text(encoding="utf-8"))["message_sha256"].split()
    }
    new: list[BankMessage] = []
    repeated: list[BankMessage] = []
    for message in messages:
        (repeated if message in new or (message.message and _digest(message) in known) else new).append(message)
    if not new:
        first = messages[0]
        raise RewardError(
            f"{file}: {first.kind} {first.message} was reconciled before, see {known[_digest(first)]}; "
            "a bank's message counts once, however often it is sent"
        )
    return new, tuple(f"{message.kind} {message.message}" for message in repeated)


def _digest(message: BankMessage) -> str:
    """Stands for a bank's message: two banks may give theirs the same id."""
    return hashlib.sha256(repr((message.kind, message.sender, message.message)).encode()).hexdigest()


def _refuse_early(lines: Sequence[Row], day: str) -> None:
    """Raise RewardError where the bank has booked a payment of ours after the day of posting."""
    for row in lines:
        if row["payment_id"] and KINDS[row["kind"]].books and row["booked_at"][:10] > day:
            raise RewardError(
                f"payment {row['payment_id']} was booked on {row['booked_at']}, after {day}; "
                "post it on that day or a later one (--date)"
            )


def _judged(
    rewards: Path, books: Ledger, orders: Orders, messages: Sequence[BankMessage], day: str
) -> tuple[list[Verdict], list[Entry]]:
    refused = refused_payments(books, orders, messages)
    answers = [(message, answer) for message in messages for answer in orders.answers(message, refused)]
    earlier = earlier_bookings(sorted((rewards / FOLDER).glob(f"[!.]*/{RECON}")))
    verdicts, postings = judge(books, orders, answers, earlier, free_money(rewards, books))
    return verdicts, entries_of(books, postings, day)


def free_money(rewards: Path, books: Ledger) -> Callable[[Row], bool]:
    """Whether a payment's money is payable yet and in no other payment that was handed over; takes it where it is."""
    free: dict[tuple[str, str], int] = {}
    flying = balances.in_flight(rewards, books)

    def is_free(payable: Row) -> bool:
        key = (parse_payee_ref(payable["payee_ref"]), payable["currency"])
        amount = int(payable["amount_minor"]) + int(payable["withheld_minor"])
        left = free.setdefault(key, books.balance(accounts.payable(key[0]), key[1]) - flying.get(key, 0))
        free[key] -= amount if left >= amount else 0
        return left >= amount

    return is_free


def _line(verdict: Verdict, orders: Orders, after: Ledger) -> Row:
    message, answer = verdict.message, verdict.answer
    payable = orders.payments.get(answer.end_to_end_id)
    expected = orders.expected_minor(answer.end_to_end_id, answer.currency)
    return {
        "end_to_end_id": answer.end_to_end_id if payable else _safe(answer.end_to_end_id),
        "payment_id": payable["payment_id"] if payable else "",
        "statement_id": payable["statement_id"] if payable else "",
        "currency": payable["currency"] if payable else _safe(answer.currency),
        "amount_minor": "" if answer.amount_minor is None else str(answer.amount_minor),
        "expected_minor": payable["amount_minor"] if payable else "" if expected is None else str(expected),
        "booked_at": _safe(answer.booked_at),
        "outcome": verdict.outcome,
        "entry_id": next((posting.entry_id for posting in after.find(verdict.key)), ""),
        "bank_reason": _safe(answer.reason),
        "kind": message.kind,
        "bank_message": _safe(message.message),
        "bank_references": answer.references,
    }


def _safe(text: str) -> str:
    """What a bank wrote, so that no spreadsheet runs it: an apostrophe before what could be a formula."""
    return f"'{text}" if text[:1] in tables.FORMULAS else text


def _write(making: Path, rows: Sequence[Row], source: Mapping[str, str], head: str) -> None:
    """Before anything is posted; `head` will be the ledger's after it."""
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    tables.write_csv(making / RECON, tables.RECON, rows)
    write_json(making / SOURCE, {**source, "ledger_head": head}, sort_keys=True)
    sync(making)
