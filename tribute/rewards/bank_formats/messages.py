"""What a bank says, in one form for all its messages: about one payment, or about a whole file or batch of ours."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from tribute.errors import RewardError
from tribute.money import parse_amount

Outcome = Literal["paid", "returned", "rejected", "pending"]
NEVER_ORDERED = "never_ordered"
SIGN_DIFFERS = "sign_differs"
_OUR_FORM = re.compile(r"\d{6}-[0-9a-f]{24}|\d{4}-\d{2}-[0-9a-f]{20}(-\d+)?")
"""An end-to-end id, or the id of a file or batch, as Tribute makes them."""
NO_ID = ("", "NOTPROVIDED")
"""What stands for an end-to-end id that nobody gave."""
Money = tuple[int, str]
"""Minor units and their currency."""


@dataclass(frozen=True)
class Answer:
    """What the bank says about one payment.

    `amount_minor` is what moved on the account, in `currency`; None where the bank repeats no amount, or the payment
    is not ours. `instructed` is what was ordered, where the bank repeats that; `charges` is what the bank says that
    it took, in `currency`. `references` are the bank's own names of the booking, as a query string. `doubt` is the
    outcome for a person where the message contradicts itself.
    """

    end_to_end_id: str
    outcome: Outcome
    currency: str
    amount_minor: int | None
    booked_at: str
    reason: str
    instructed: Money | None = None
    charges: int = 0
    references: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class BatchAnswer:
    """What the bank says about several payments of ours at once; `answer` holds their sum and no id.

    They are those of the file or batch that we called `batch_id` (`MsgId` or `PmtInfId`), or the `members` by their
    end-to-end ids. `count` is the bank's number of payments, where it gives one.
    """

    answer: Answer
    batch_id: str = ""
    members: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True)
class BankMessage:
    """One message: `message` is the bank's own id of it, unique per `sender` (both empty in CSV).

    What a kind of message can be trusted with stands in `formats.KINDS`.
    """

    kind: str
    sender: str
    message: str
    answers: tuple[Answer | BatchAnswer, ...]


class Kind(NamedTuple):
    """What follows from what a message is."""

    books: bool = False
    """It tells of entries of an account, so two of them may be the same booking, or a payment made twice."""
    names_members: bool = False
    """Its answer about a batch speaks of the payments that it does not name itself."""


Reader = Callable[[Element, Container[str]], BankMessage]
"""Reads the body of one message; amounts are read of what is ours alone."""


def looks_like_ours(id_: str) -> bool:
    """Whether Tribute could have given this id; all others are somebody else's business."""
    return bool(_OUR_FORM.fullmatch(id_))


def in_our_case(id_: str) -> str:
    """An id of our form as we write it, in lower case; any other as it is."""
    return id_.lower() if looks_like_ours(id_.lower()) else id_


def text_of(element: Element, path: str) -> str:
    """The text at a path of local names, in whatever namespace; empty where there is none."""
    node = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return "" if node is None else (node.text or "").strip()


def first_text(element: Element, *paths: str) -> str:
    """The first text that is there."""
    return next(filter(None, (text_of(element, path) for path in paths)), "")


def sender_of(body: Element, *paths: str) -> str:
    """What says whose message it is: all that is there of the bank, the account, our own message."""
    return " ".join(filter(None, (text_of(body, path) for path in paths)))


def message_of(body: Element) -> str:
    """The bank's id of a message; the pages of one message may share it."""
    page = text_of(body, "GrpHdr/MsgPgntn/PgNb")
    return text_of(body, "GrpHdr/MsgId") + (f" page {page}" if page not in ("", "1") else "")


def count_of(text: str) -> int | None:
    """A number of payments; None where the bank gives none."""
    return int(text) if text.isascii() and text.isdigit() else None


def money_of(id_: str, amount: Element | None) -> Money | None:
    """An `Amt` of ISO 20022 in minor units. Raises RewardError naming the payment."""
    if amount is None:
        return None
    currency = amount.get("Ccy", "")
    return minor_of(id_, amount.text or "", currency), currency


def minor_of(id_: str, text: str, currency: str) -> int:
    """Banks write 12.5, 12.50, +012.50 or 12.50000 for the same; a digit below the minor unit is refused."""
    try:
        return parse_amount(plain_number(text), currency)
    except RewardError as error:
        raise RewardError(f"payment {id_}: {error}") from error


def plain_number(text: str) -> str:
    """A decimal without sign, zeros before it and zeros behind its point."""
    whole, _, fraction = text.strip().removeprefix("+").partition(".")
    fraction = fraction.rstrip("0")
    # Not by Decimal, which takes exponents and rounds to 28 digits.
    return (whole.lstrip("0") or ("0" if whole or fraction else "")) + (f".{fraction}" if fraction else "")
