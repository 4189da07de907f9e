"""What a bank answers, in one form: camt.053 (account statement), pain.002 (status report) or CSV. Posts nothing.

Read by local names, so that every version of the two messages is understood. A line that carries no end-to-end id
concerns no payment of ours and is left out.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from tribute.errors import RewardError
from tribute.money import parse_amount

Outcome = Literal["paid", "returned", "rejected", "pending"]

STATUS: dict[str, Outcome] = {"ACSC": "paid", "ACCC": "paid", "RJCT": "rejected", "CANC": "rejected"}
"""pain.002's final states of a transaction; every other one says that the bank is still at it."""
NOT_PROVIDED = "NOTPROVIDED"
CSV_COLUMNS = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
"""A bank's answer as CSV; `amount` in major units, `status` paid, returned, rejected or pending."""


@dataclass(frozen=True)
class Answer:
    """What the bank says about one payment; `amount_minor` is None where it repeats no amount."""

    end_to_end_id: str
    outcome: Outcome
    currency: str
    amount_minor: int | None
    booked_at: str
    reason: str


@dataclass(frozen=True)
class BankFile:
    """A bank's file: `message` is the bank's own id of it (empty in CSV)."""

    kind: str
    message: str
    answers: tuple[Answer, ...]


def read_bank_file(path: Path) -> BankFile:
    """Read an answer of any of the three kinds. Raises RewardError naming the file."""
    content = path.read_bytes()
    try:
        if content.lstrip().startswith((b"<", b"\xef\xbb\xbf<")):
            return _xml(content)
        return BankFile("csv", "", tuple(_from_csv(content.decode("utf-8-sig"))))
    except (ElementTree.ParseError, UnicodeDecodeError, InvalidOperation, KeyError, ValueError) as error:
        raise RewardError(f"{path}: not a bank's answer that can be read ({error})") from error
    except RewardError as error:
        raise RewardError(f"{path}: {error}") from error


def _xml(content: bytes) -> BankFile:
    if b"<!DOCTYPE" in content.replace(b"\0", b""):  # in UTF-16, too
        raise RewardError("holds a DOCTYPE, which no bank's message does; ask for the file as the bank sent it")
    root = ElementTree.fromstring(content)
    for kind, name, read in (
        ("camt.053", "BkToCstmrStmt", _statement),
        ("pain.002", "CstmrPmtStsRpt", _report),
    ):
        body = root.find(f"{{*}}{name}")
        if body is not None:
            answers = tuple(read(body))
            if not answers:
                raise RewardError(f"this {kind} names no payment by its end-to-end id; ask the bank for one that does")
            return BankFile(kind, _text(body, "GrpHdr/MsgId"), answers)
    raise RewardError("neither camt.053 nor pain.002; give one of them, or CSV with " + ",".join(CSV_COLUMNS))


def _statement(body: ElementTree.Element) -> Iterator[Answer]:
    for entry in body.findall("{*}Stmt/{*}Ntry"):
        booked = _text(entry, "Sts/Cd") or _text(entry, "Sts")
        day = (_text(entry, "BookgDt/Dt") or _text(entry, "BookgDt/DtTm"))[:10]
        for detail in entry.findall("{*}NtryDtls/{*}TxDtls"):
            id_ = _text(detail, "Refs/EndToEndId")
            if not id_ or id_ == NOT_PROVIDED:
                continue
            sign = _text(detail, "CdtDbtInd") or _text(entry, "CdtDbtInd")
            # The first that is there: of the transaction itself, or of the entry where it holds just one.
            amounts = (detail.find("{*}Amt"), detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt"), entry.find("{*}Amt"))
            amount = next(one for one in amounts if one is not None)
            reason = _text(detail, "RtrInf/Rsn/Cd") or _text(detail, "RtrInf/Rsn/Prtry")
            outcome: Outcome = "pending" if booked != "BOOK" else "paid" if sign == "DBIT" else "returned"
            currency = amount.get("Ccy", "")
            yield Answer(id_, outcome, currency, _minor(amount.text or "", currency), day, reason)


def _report(body: ElementTree.Element) -> Iterator[Answer]:
    day = _text(body, "GrpHdr/CreDtTm")[:10]
    for one in body.findall("{*}OrgnlPmtInfAndSts/{*}TxInfAndSts"):
        id_ = _text(one, "OrgnlEndToEndId")
        if not id_ or id_ == NOT_PROVIDED:
            continue
        amount = one.find("{*}OrgnlTxRef/{*}Amt/{*}InstdAmt")
        currency = "" if amount is None else amount.get("Ccy", "")
        minor = None if amount is None else _minor(amount.text or "", currency)
        reason = _text(one, "StsRsnInf/Rsn/Cd") or _text(one, "StsRsnInf/Rsn/Prtry")
        yield Answer(id_, STATUS.get(_text(one, "TxSts"), "pending"), currency, minor, day, reason)


def _from_csv(text: str) -> Iterator[Answer]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if list(reader.fieldnames or ()) != list(CSV_COLUMNS):
        raise RewardError(f"columns {reader.fieldnames}, expected {list(CSV_COLUMNS)}")
    outcomes: dict[str, Outcome] = {
        "paid": "paid", "returned": "returned", "rejected": "rejected", "pending": "pending"
    }  # fmt: skip
    for number, row in enumerate(reader, start=2):
        if row["status"] not in outcomes:
            raise RewardError(f"line {number}: status {row['status']!r}, expected one of {', '.join(outcomes)}")
        amount = _minor(row["amount"], row["currency"])
        outcome = outcomes[row["status"]]
        yield Answer(row["end_to_end_id"], outcome, row["currency"], amount, row["booked_at"], row["reason"])


def _minor(text: str, currency: str) -> int:
    """Banks write 12.5, 12.50 or 12.50000 for the same; a digit below the minor unit is refused."""
    value = Decimal(text).normalize()
    return parse_amount(f"{value:f}", currency)


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return "" if found is None else (found.text or "").strip()
