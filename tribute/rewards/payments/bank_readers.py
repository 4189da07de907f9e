"""A bank's file as messages: camt.052, camt.053, camt.054, pain.002, or CSV. Posts nothing.

A file may hold several messages (one after the other, in an envelope, in a ZIP). Amounts are read of our payments
alone: what else stands in the same account may be of any currency, or of none.
"""

import csv
import io
from collections.abc import Container, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from tribute.errors import RewardError
from tribute.rewards.payments import camt, pain002
from tribute.rewards.payments.bank_files import documents_of, files_of, is_xml
from tribute.rewards.payments.bank_messages import Answer, BankMessage, Outcome, Reader, minor_of

READERS: dict[str, Reader] = {
    **{name: camt.camt_reader(name) for name in camt.BODIES},
    **dict.fromkeys(pain002.BODIES, pain002.read_report),
}
"""Local name of a message's body → what reads it. Another kind needs a line in bank_messages.KINDS, too."""
CSV_COLUMNS = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
"""A bank's answer as CSV; `amount` in major units, `status` paid, returned, rejected or pending."""
_OUTCOMES: dict[str, Outcome] = {
    "paid": "paid", "returned": "returned", "rejected": "rejected", "pending": "pending"
}  # fmt: skip


def read_bank_file(path: Path, ours: Container[str]) -> list[BankMessage]:
    """All messages of a file; `ours` are our end-to-end ids and the ids of our files and batches.

    Raises RewardError naming the file, and the file within a ZIP.
    """
    messages: list[BankMessage] = []
    for name, content in files_of(path):
        try:
            messages += _messages(content, ours)
        except UnicodeDecodeError as error:
            advice = "save it as CSV in UTF-8, or give the XML as the bank sent it"
            raise RewardError(f"{name}: not {error.encoding.upper()}; {advice}") from error
        except (ParseError, csv.Error, LookupError, ValueError) as error:
            raise RewardError(f"{name}: not a bank's answer that can be read ({error})") from error
        except RewardError as error:
            raise RewardError(f"{name}: {error}") from error
    return messages


def _messages(content: bytes, ours: Container[str]) -> list[BankMessage]:
    if is_xml(content):
        return [message for document in documents_of(content) for message in _of_document(document, ours)]
    answers = tuple(_from_csv(content.decode("utf-8-sig"), ours))
    if not answers:
        raise RewardError("holds no payment, only the header; give one line per payment")
    return [BankMessage("csv", "", "", answers)]


def _of_document(document: Element, ours: Container[str]) -> list[BankMessage]:
    """The messages in a document, however deep an envelope puts them."""
    bodies = [(READERS[name], body) for body in document.iter() if (name := body.tag.rpartition("}")[2]) in READERS]
    if not bodies:
        raise RewardError(
            "neither camt.052, camt.053, camt.054 nor pain.002; give one of them, or CSV with " + ",".join(CSV_COLUMNS)
        )
    return [read(body, ours) for read, body in bodies]


def _from_csv(text: str, ours: Container[str]) -> Iterator[Answer]:
    reader = csv.reader(io.StringIO(text, newline=""))
    columns, expected = ",".join(next(reader, ())), ",".join(CSV_COLUMNS)
    if columns != expected:
        raise RewardError(f"columns {columns!r}, expected {expected!r}")
    for fields in filter(None, reader):
        if len(fields) != len(CSV_COLUMNS):
            raise RewardError(
                f"line {reader.line_num}: {len(fields)} fields, expected {len(CSV_COLUMNS)}; "
                "a field that holds a comma stands in double quotes"
            )
        id_, currency, amount, status, booked_at, reason = fields
        if status not in _OUTCOMES:
            raise RewardError(f"line {reader.line_num}: status {status!r}, expected one of {', '.join(_OUTCOMES)}")
        minor = minor_of(id_, amount, currency) if id_ in ours else None
        yield Answer(id_, _OUTCOMES[status], currency, minor, booked_at, reason)
