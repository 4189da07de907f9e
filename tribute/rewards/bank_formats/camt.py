"""Account messages: camt.053 (statement), camt.052 (report of the day) and camt.054 (notification of entries).

Read by local names, so that every version of them is understood. An entry that names neither a payment nor a batch
is left out, such as the bank's fee. `CdtDbtInd` says where the money went; with `RvslInd` the original went the other
way, so what comes back is a credit in either case.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from tribute.errors import RewardError
from tribute.rewards.bank_formats.messages import (
    NO_ID,
    SIGN_DIFFERS,
    Answer,
    BankMessage,
    BatchAnswer,
    Kind,
    Outcome,
    Reader,
    count_of,
    first_text,
    message_of,
    minor_of,
    money_of,
    plain_number,
    sender_of,
    text_of,
)

BODIES = {
    "BkToCstmrStmt": ("camt.053", "Stmt"),
    "BkToCstmrAcctRpt": ("camt.052", "Rpt"),
    "BkToCstmrDbtCdtNtfctn": ("camt.054", "Ntfctn"),
}
"""Body of a message → its kind, and the element that holds one account's entries."""
KINDS = {kind: Kind(books=True) for kind, _ in BODIES.values()}
_BATCH_IDS = ("Btch/PmtInfId", "TxDtls/Refs/PmtInfId", "Btch/MsgId", "TxDtls/Refs/MsgId")
_REASONS = ("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry")


def camt_reader(name: str) -> Reader:
    """The reader of the messages with this body."""
    kind, account = BODIES[name]
    owner = (f"{account}/Acct/Svcr/FinInstnId/BICFI", f"{account}/Acct/Id/IBAN", f"{account}/Acct/Id/Othr/Id")

    def read(body: Element, ours: Container[str]) -> BankMessage:
        entries = body.findall(f"{{*}}{account}/{{*}}Ntry")
        answers = tuple(answer for entry in entries for answer in _answers(entry, ours))
        return BankMessage(kind, sender_of(body, *owner), message_of(body), answers)

    return read


@dataclass(frozen=True)
class _Entry:
    """One entry of the account and the payments under it; `sole` where there can be but one."""

    element: Element
    details: list[Element]
    sole: bool

    @property
    def booked(self) -> bool:
        return first_text(self.element, "Sts/Cd", "Sts") == "BOOK"

    @property
    def day(self) -> str:
        return first_text(self.element, "BookgDt/Dt", "BookgDt/DtTm")[:10]


def _answers(element: Element, ours: Container[str]) -> Iterator[Answer | BatchAnswer]:
    groups = element.findall("{*}NtryDtls")
    for group in groups:
        details = group.findall("{*}TxDtls")
        count = count_of(text_of(group, "Btch/NbOfTxs"))
        entry = _Entry(element, details, len(groups) == len(details) == 1 and count in (None, 1))
        named = [detail for detail in details if text_of(detail, "Refs/EndToEndId") not in NO_ID]
        sums = not entry.sole and all(_detail_amount(detail) is None for detail in named)
        if named and not (sums and len(named) == len(details)):
            yield from (_answer(entry, detail, ours) for detail in named)
            continue
        members = tuple(text_of(detail, "Refs/EndToEndId") for detail in named)
        ids = [id_ for path in _BATCH_IDS if (id_ := text_of(group, path)) not in NO_ID]
        batch_id = next((id_ for id_ in ids if id_ in ours), ids[0] if ids else "")
        if members or batch_id:
            known = batch_id in ours or any(member in ours for member in members)
            total = group.find("{*}Btch/{*}TtlAmt")
            amount = total if total is not None else element.find("{*}Amt") if len(groups) == 1 else None
            if known and amount is None:
                raise RewardError(f"batch {batch_id or members[0]}: the message has no Amt for it; ask the bank")
            answer = _said(entry, element, batch_id or members[0], known, amount)
            yield BatchAnswer(answer, "" if members else batch_id, members, count)


def _answer(entry: _Entry, detail: Element, ours: Container[str]) -> Answer:
    id_ = text_of(detail, "Refs/EndToEndId")
    amount = _detail_amount(detail)
    if amount is None and entry.sole:
        amount = entry.element.find("{*}Amt")
    if amount is None and id_ in ours:
        raise RewardError(f"payment {id_}: the message has no Amt for it; ask the bank for one that does")
    return _said(entry, detail, id_, id_ in ours, amount)


def _detail_amount(detail: Element) -> Element | None:
    own = detail.find("{*}Amt")
    return own if own is not None else detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt")


def _said(entry: _Entry, element: Element, id_: str, known: bool, amount: Element | None) -> Answer:
    """What an entry says of `element`, which is a payment under it or the entry itself."""
    sign = first_text(element, "CdtDbtInd") or text_of(entry.element, "CdtDbtInd")
    if known and sign not in ("DBIT", "CRDT"):
        raise RewardError(f"payment {id_}: CdtDbtInd is {sign!r}, expected DBIT or CRDT; ask the bank")
    outcome: Outcome = "pending" if not entry.booked else "paid" if sign == "DBIT" else "returned"
    booked = money_of(id_, amount) if known else None
    instructed = element.find("{*}AmtDtls/{*}InstdAmt/{*}Amt")
    if instructed is None and entry.sole:
        instructed = entry.element.find("{*}AmtDtls/{*}InstdAmt/{*}Amt")
    currency = "" if amount is None else amount.get("Ccy", "")
    return Answer(
        "" if element is entry.element else id_,
        outcome,
        currency,
        None if booked is None else booked[0],
        entry.day,
        first_text(element, *_REASONS),
        money_of(id_, instructed) if known else None,
        _charges(id_, entry, element, currency) if known else 0,
        _references(entry, element),
        SIGN_DIFFERS if known and _contradicts(entry, element) else "",
    )


def _contradicts(entry: _Entry, element: Element) -> bool:
    """A debit is booked where all that it holds are credits, or one is the reversal of a credit: no payment is that."""
    sign = text_of(entry.element, "CdtDbtInd")
    signs = {text_of(detail, "CdtDbtInd") for detail in entry.details} - {""}
    reversal = first_text(element, "RvslInd") or text_of(entry.element, "RvslInd")
    return bool(signs and sign not in signs) or (sign == "DBIT" and reversal in ("true", "1"))


def _charges(id_: str, entry: _Entry, element: Element, currency: str) -> int:
    """What the bank says that it took, in minor units of the account's currency."""
    holders = [element.findall("{*}Chrgs"), entry.element.findall("{*}Chrgs") if entry.sole else []]
    charges = next((holder for holder in holders if holder), [])
    totals = [total for charge in charges if (total := charge.find("{*}TtlChrgsAndTaxAmt")) is not None]
    parts = [part for charge in charges for path in ("{*}Rcrd/{*}Amt", "{*}Amt") for part in charge.findall(path)]
    return sum(
        minor_of(id_, amount.text or "", currency)
        for amount in totals or parts
        if amount.get("Ccy", currency) == currency and plain_number(amount.text or "") != "0"
    )


def _references(entry: _Entry, element: Element) -> str:
    names = {
        "AcctSvcrRef": text_of(element, "Refs/AcctSvcrRef"),
        "TxId": text_of(element, "Refs/TxId"),
        "UETR": text_of(element, "Refs/UETR"),
        "Ntry/AcctSvcrRef": text_of(entry.element, "AcctSvcrRef"),
        "NtryRef": text_of(entry.element, "NtryRef"),
    }
    return urlencode({name: reference for name, reference in names.items() if reference})
