"""pain.002, the report on the status of a file of ours: of all of it, of a batch, or of single payments.

A status counts for everything below it that has none of its own, so a file that is refused as a whole is one line of
the bank's. `PART` says that the payments differ, and nothing of those that are not named.
"""

from collections.abc import Container, Iterator
from xml.etree.ElementTree import Element

from tribute.rewards.bank_formats.messages import (
    NEVER_ORDERED,
    NO_ID,
    Answer,
    BankMessage,
    BatchAnswer,
    Kind,
    Outcome,
    count_of,
    first_text,
    message_of,
    money_of,
    sender_of,
    text_of,
)

BODIES = ("CstmrPmtStsRpt", "pain.002.001.02")
KINDS = {"pain.002": Kind(names_members=True)}
STATUS: dict[str, Outcome] = {"ACSC": "paid", "ACCC": "paid", "RJCT": "rejected", "CANC": "rejected"}
"""The final states of a payment; every other one says that the bank has not finished."""
PART = ("", "PART")
_SENDER = ("GrpHdr/DbtrAgt/FinInstnId/BICFI", "OrgnlGrpInfAndSts/OrgnlMsgId")
_REASONS = ("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")


def read_report(body: Element, ours: Container[str]) -> BankMessage:
    """What the report says, the most specific first."""
    return BankMessage("pain.002", sender_of(body, *_SENDER), message_of(body), tuple(_answers(body, ours)))


def _answers(body: Element, ours: Container[str]) -> Iterator[Answer | BatchAnswer]:
    day = text_of(body, "GrpHdr/CreDtTm")[:10]
    group = body.find("{*}OrgnlGrpInfAndSts")
    above = [] if group is None else [group]
    batches = body.findall("{*}OrgnlPmtInfAndSts")
    for payment in body.findall("{*}TxInfAndSts"):
        yield from _payment(payment, above, day, ours)
    for batch in batches:
        for payment in batch.findall("{*}TxInfAndSts"):
            yield from _payment(payment, [batch, *above], day, ours)
    for batch in batches:
        id_ = text_of(batch, "OrgnlPmtInfId")
        # Of a file of ours, but no batch of it, and no payment is named: somebody has to find out which is meant.
        lost = id_ not in ours and text_of(body, "OrgnlGrpInfAndSts/OrgnlMsgId") in ours
        unclear = lost and batch.find("{*}TxInfAndSts") is None
        yield from _all(batch, "PmtInfSts", id_, day, NEVER_ORDERED if unclear else "")
    for whole in above:
        yield from _all(whole, "GrpSts", text_of(whole, "OrgnlMsgId"), day, "")


def _payment(payment: Element, above: list[Element], day: str, ours: Container[str]) -> Iterator[Answer]:
    id_ = text_of(payment, "OrgnlEndToEndId")
    if id_ in NO_ID:
        return
    levels = [payment, *above]
    statuses = (first_text(level, "TxSts", "PmtInfSts", "GrpSts") for level in levels)
    status = next((status for status in statuses if status not in PART), "")
    reason = next(filter(None, (first_text(level, *_REASONS) for level in levels)), "")
    amount = payment.find("{*}OrgnlTxRef/{*}Amt/{*}InstdAmt")
    currency = "" if amount is None else amount.get("Ccy", "")
    ordered = money_of(id_, amount) if id_ in ours else None
    yield Answer(id_, STATUS.get(status, "pending"), currency, None if ordered is None else ordered[0], day, reason)


def _all(level: Element, name: str, id_: str, day: str, doubt: str) -> Iterator[BatchAnswer]:
    """The status of a batch or of the whole file."""
    status = text_of(level, name)
    if status not in PART and (doubt or id_ not in NO_ID):
        answer = Answer("", STATUS.get(status, "pending"), "", None, day, first_text(level, *_REASONS), doubt=doubt)
        yield BatchAnswer(answer, id_, count=count_of(text_of(level, "OrgnlNbOfTxs")))
