"""What a bank answers, in one form: camt.053 (account statement), pain.002 (status report) or CSV. Posts nothing.

Read by local names, so that every version of the two messages is understood. A line that carries no end-to-end id
concerns no payment of ours and is left out. Amounts are read of our payments alone: what else stands in the same
account may be of any currency, or of none.
"""

import csv
import io
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from tribute.errors import RewardError
from tribute.money import parse_amount

Outcome = Literal["paid", "returned", "rejected", "pending"]

STATUS: dict[str, Outcome] = {"ACSC": "paid", "ACCC": "paid", "RJCT": "rejected", "CANC": "rejected"}
"""pain.002's final states of a transaction; every other one says that the bank is still at it."""
NOT_PROVIDED = "NOTPROVIDED"
SENDER = (
    "Stmt/Acct/Svcr/FinInstnId/BICFI",
    "Stmt/Acct/Id/IBAN",
    "Stmt/Acct/Id/Othr/Id",
    "GrpHdr/DbtrAgt/FinInstnId/BICFI",
    "OrgnlGrpInfAndSts/OrgnlMsgId",
)
"""What says whose message it is: the bank, the account, or which of our own messages it answers."""
CSV_COLUMNS = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
"""A bank's answer as CSV; `amount` in major units, `status` paid, returned, rejected or pending."""


@dataclass(frozen=True)
class Answer:
    """What the bank says about one payment; `amount_minor` is None where it repeats no amount, or it is not ours."""

    end_to_end_id: str
    outcome: Outcome
    currency: str
    amount_minor: int | None
    booked_at: str
    reason: str


@dataclass(frozen=True)
class BankFile:
    """A bank's file: `message` is the bank's own id of it, unique for each `sender` (both empty in CSV)."""

    kind: str
    sender: str
    message: str
    answers: tuple[Answer, ...]


def read_bank_file(path: Path, ours: Container[str]) -> BankFile:
    """Read an answer of any of the three kinds; `ours` are our payments' end-to-end ids.

    Raises RewardError naming the file.
    """
    content = path.read_bytes()
    try:
        if content.lstrip().startswith((b"<", b"\xef\xbb\xbf<")):
            return _xml(content, ours)
        answers = tuple(_from_csv(content.decode("utf-8-sig"), ours))
        if not answers:
            raise RewardError("holds no payment, only the header; give a line for each payment")
        return BankFile("csv", "", "", answers)
    except UnicodeDecodeError as error:
        raise RewardError(f"{path}: not UTF-8; save it as CSV in UTF-8, or give the XML as the bank sent it") from error
    except (ElementTree.ParseError, csv.Error, LookupError, ValueError) as error:
        raise RewardError(f"{path}: not a bank's answer that can be read ({error})") from error
    except RewardError as error:
        raise RewardError(f"{path}: {error}") from error


def _xml(content: bytes, ours: Container[str]) -> BankFile:
    if b"<!DOCTYPE" in content.replace(b"\0", b""):  # in UTF-16, too
        raise RewardError("holds a DOCTYPE, which no bank's message does; ask for the file as the bank sent it")
    root = ElementTree.fromstring(content)
    for kind, name, read in (
        ("camt.053", "BkToCstmrStmt", _statement),
        ("pain.002", "CstmrPmtStsRpt", _report),
    ):
        body = root.find(f"{{*}}{name}")
        if body is not None:
            answers = tuple(read(body, ours))
            if not answers:
                raise RewardError(f"this {kind} names no payment by its end-to-end id; ask the bank for one that does")
            sender = " ".join(filter(None, (_text(body, path) for path in SENDER)))
            return BankFile(kind, sender, _text(body, "GrpHdr/MsgId"), answers)
    raise RewardError("neither camt.053 nor pain.002; give one of them, or CSV with " + ",".join(CSV_COLUMNS))


def _statement(body: ElementTree.Element, ours: Container[str]) -> Iterator[Answer]:
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
            amount = next((one for one in amounts if one is not None), None)
            reason = _text(detail, "RtrInf/Rsn/Cd") or _text(detail, "RtrInf/Rsn/Prtry")
            outcome: Outcome = "pending" if booked != "BOOK" else "paid" if sign == "DBIT" else "returned"
            if amount is None and id_ in ours:
                raise RewardError(f"payment {id_}: the statement has no Amt for it; ask the bank for one that does")
            currency = "" if amount is None else amount.get("Ccy", "")
            minor = None if amount is None or id_ not in ours else _minor(id_, amount.text or "", currency)
            yield Answer(id_, outcome, currency, minor, day, reason)


def _report(body: ElementTree.Element, ours: Container[str]) -> Iterator[Answer]:
    day = _text(body, "GrpHdr/CreDtTm")[:10]
    for one in body.findall("{*}OrgnlPmtInfAndSts/{*}TxInfAndSts"):
        id_ = _text(one, "OrgnlEndToEndId")
        if not id_ or id_ == NOT_PROVIDED:
            continue
        amount = one.find("{*}OrgnlTxRef/{*}Amt/{*}InstdAmt")
        currency = "" if amount is None else amount.get("Ccy", "")
        minor = None if amount is None or id_ not in ours else _minor(id_, amount.text or "", currency)
        reason = _text(one, "StsRsnInf/Rsn/Cd") or _text(one, "StsRsnInf/Rsn/Prtry")
        yield Answer(id_, STATUS.get(_text(one, "TxSts"), "pending"), currency, minor, day, reason)


def _from_csv(text: str, ours: Container[str]) -> Iterator[Answer]:
    reader = csv.reader(io.StringIO(text, newline=""))
    columns, expected = ",".join(next(reader, ())), ",".join(CSV_COLUMNS)
    if columns != expected:
        raise RewardError(f"columns {columns!r}, expected {expected!r}")
    outcomes: dict[str, Outcome] = {
        "paid": "paid", "returned": "returned", "rejected": "rejected", "pending": "pending"
    }  # fmt: skip
    for fields in filter(None, reader):
        if len(fields) != len(CSV_COLUMNS):
            raise RewardError(
                f"line {reader.line_num}: {len(fields)} fields, expected {len(CSV_COLUMNS)}; "
                "a field that holds a comma stands in double quotes"
            )
        id_, currency, amount, status, booked_at, reason = fields
        if status not in outcomes:
            raise RewardError(f"line {reader.line_num}: status {status!r}, expected one of {', '.join(outcomes)}")
        minor = _minor(id_, amount, currency) if id_ in ours else None
        yield Answer(id_, outcomes[status], currency, minor, booked_at, reason)


def _minor(id_: str, text: str, currency: str) -> int:
    """Banks write 12.5, 12.50, +012.50 or 12.50000 for the same; a digit below the minor unit is refused."""
    whole, _, fraction = text.strip().removeprefix("+").partition(".")
    fraction = fraction.rstrip("0")
    # Not by Decimal, which takes exponents and rounds to 28 digits.
    plain = (whole.lstrip("0") or ("0" if whole or fraction else "")) + (f".{fraction}" if fraction else "")
    try:
        return parse_amount(plain, currency)
    except RewardError as error:
        raise RewardError(f"payment {id_}: {error}") from error


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return "" if found is None else (found.text or "").strip()
