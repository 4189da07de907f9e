"""Every format in which a bank answers, and a bank's file as messages: a new format is a file here and a line below.

A file may hold several messages (one after the other, in an envelope, in a ZIP). Amounts are read of our payments
alone: what else stands in the same account may be of any currency, or of none. Posts nothing.
"""

import csv
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from tribute.contributions.intake import known_kind
from tribute.errors import RewardError
from tribute.rewards.bank_formats import camt, csv_answers, mt940, pain002
from tribute.rewards.bank_formats.csv_answers import CSV_COLUMNS, answers_of
from tribute.rewards.bank_formats.messages import Answer, BankMessage, BatchAnswer, Reader, in_our_case
from tribute.rewards.bank_formats.wrapping import documents_of, files_of, is_xml

READERS: dict[str, Reader] = {
    **{name: camt.camt_reader(name) for name in camt.BODIES},
    **dict.fromkeys(pain002.BODIES, pain002.read_report),
}
"""Local name of a message's body → what reads it."""
KINDS = {**camt.KINDS, **pain002.KINDS, **mt940.KINDS, **csv_answers.KINDS}
"""Every kind of message that is read, and what follows from it."""


def read_bank_file(path: Path, ours: Container[str]) -> list[BankMessage]:
    """All messages of a file; `ours` are our end-to-end ids and the ids of our files and batches.

    Raises RewardError naming the file, and the file within a ZIP.
    """
    messages: list[BankMessage] = []
    for name, content in files_of(path):
        try:
            messages += [_in_our_case(message) for message in _messages(content, ours)]
        except UnicodeDecodeError as error:
            advice = "save it as CSV in UTF-8, or give the XML as the bank sent it"
            raise RewardError(f"{name}: not {error.encoding.upper()}; {advice}") from error
        except (ParseError, csv.Error, LookupError, ValueError) as error:
            raise RewardError(f"{name}: not a bank's answer that can be read ({error})") from error
        except RewardError as error:
            raise RewardError(f"{name}: {error}") from error
    return messages


def _in_our_case(message: BankMessage) -> BankMessage:
    """The message with our ids as we wrote them: some banks turn all letters into capitals."""
    return replace(message, answers=tuple(map(_answer_in_our_case, message.answers)))


def _answer_in_our_case(answer: Answer | BatchAnswer) -> Answer | BatchAnswer:
    if isinstance(answer, Answer):
        return replace(answer, end_to_end_id=in_our_case(answer.end_to_end_id))
    members = tuple(map(in_our_case, answer.members))
    return replace(answer, batch_id=in_our_case(answer.batch_id), members=members)


def _messages(content: bytes, ours: Container[str]) -> list[BankMessage]:
    if is_xml(content):
        return [message for document in documents_of(content) for message in _of_document(document, ours)]
    if not content.strip():
        raise RewardError("the file is empty; give the file that the bank sent")
    if kind := known_kind(content):
        raise RewardError(f"the file is {kind[0]}; give the bank's message itself, unpacked")
    # SWIFT's own letters are ASCII, and what banks add to them is not looked at.
    if mt940.is_mt940(text := content.decode("latin-1")):
        return mt940.read_statements(text.replace("\r", ""), ours)
    answers = tuple(answers_of(content.decode("utf-8-sig"), ours))
    if not answers:
        raise RewardError("holds no payment, only the header; give one line per payment")
    return [BankMessage("csv", "", "", answers)]


def _of_document(document: Element, ours: Container[str]) -> list[BankMessage]:
    """The messages in a document, however deep an envelope puts them."""
    bodies = [(READERS[name], body) for body in document.iter() if (name := body.tag.rpartition("}")[2]) in READERS]
    if not bodies:
        *others, last = sorted(KINDS.keys() - csv_answers.KINDS)
        columns = ",".join(CSV_COLUMNS)
        raise RewardError(f"neither {', '.join(others)} nor {last}; give one of them, or CSV with {columns}")
    return [read(body, ours) for read, body in bodies]
