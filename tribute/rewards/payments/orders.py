"""What the bank was told to pay, and which of its answers are about that: by end-to-end id, batch or whole file."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from tribute.rewards.bank_formats.formats import KINDS
from tribute.rewards.bank_formats.messages import (
    NEVER_ORDERED,
    Answer,
    BankMessage,
    BatchAnswer,
    in_our_case,
    looks_like_ours,
)
from tribute.rewards.bank_formats.pain001 import Row, batches, message_id

BATCH_DIFFERS = "batch_differs"


class Orders:
    """The payments of all closed periods: `payments` by end-to-end id, `batches` by `MsgId` and `PmtInfId`."""

    def __init__(self, payables: Iterable[Row]) -> None:
        by_period: dict[str, list[Row]] = defaultdict(list)
        for row in payables:
            by_period[row["payment_id"][:7]].append(row)
        self.payments = {row["end_to_end_id"]: row for rows in by_period.values() for row in rows}
        self.batches: dict[str, list[Row]] = {}
        for period, rows in by_period.items():
            if of_file := batches(rows, period):
                self.batches |= of_file | {message_id(rows, period): [row for some in of_file.values() for row in some]}

    def __contains__(self, id_: object) -> bool:
        """Whether this is the id of a payment, batch or file of ours, in capitals or not."""
        own = in_our_case(str(id_))
        return own in self.payments or own in self.batches

    def expected_minor(self, id_: str, currency: str) -> int | None:
        """The amount of a payment, or the sum of a batch in one currency; None of what is not ours."""
        rows = [self.payments[id_]] if id_ in self.payments else self.batches.get(id_)
        return None if rows is None else sum(int(row["amount_minor"]) for row in rows if row["currency"] == currency)

    def answers(self, message: BankMessage, refused: Container[str]) -> Iterator[Answer]:
        """A message's answers payment by payment: what it says of a batch counts for those that it does not name.

        `refused` are end-to-end ids of payments that the bank did not carry out: the sum that it books for a batch
        may leave them out. A sum or number that is not the batch's is one answer, by the batch's id.
        """
        named = {answer.end_to_end_id for answer in message.answers if isinstance(answer, Answer)}
        for answer in message.answers:
            if isinstance(answer, Answer):
                unknown = answer.end_to_end_id not in self.payments and looks_like_ours(answer.end_to_end_id)
                yield replace(answer, doubt=NEVER_ORDERED) if unknown else answer
            else:
                spread = list(self._spread(answer, named if KINDS[message.kind].names_members else (), refused))
                named |= {answer.end_to_end_id for answer in spread}
                yield from spread

    def _spread(self, batch: BatchAnswer, named: Container[str], refused: Container[str]) -> Iterator[Answer]:
        first, answer = batch.batch_id or batch.members[0], batch.answer
        rows = self.batches.get(batch.batch_id, [self.payments[id_] for id_ in batch.members if id_ in self.payments])
        if not rows:
            if answer.doubt or looks_like_ours(first):
                yield replace(answer, end_to_end_id=first, doubt=NEVER_ORDERED)
            return
        currencies = (answer.currency, answer.instructed[1] if answer.instructed else "")
        rows = [row for row in rows if answer.amount_minor is None or row["currency"] in currencies]
        left = [row for row in rows if row["end_to_end_id"] not in refused]
        fitting = next((some for some in (rows, left) if _fits(batch, some)), None)
        if fitting is None:
            yield replace(answer, end_to_end_id=first, doubt=answer.doubt or BATCH_DIFFERS)
            return
        for row in fitting:
            if row["end_to_end_id"] not in named:
                yield replace(answer, end_to_end_id=row["end_to_end_id"], amount_minor=None, instructed=None, charges=0)


def _fits(batch: BatchAnswer, rows: Sequence[Row]) -> bool:
    """Whether number and sum are those of these payments; what a bank does not give is no difference."""
    answer, size = batch.answer, len(batch.members) or len(rows)
    if not rows or batch.count not in (None, len(rows)) or size != len(rows):
        return False
    # What the bank took off a sum belongs to nobody's payment: a person looks at it.
    exact = replace(answer, charges=0)
    return not misfit(exact, sum(int(row["amount_minor"]) for row in rows), rows[0]["currency"])


def misfit(answer: Answer, minor: int, currency: str) -> str:
    """The outcome for a person where an answer's amount is not what was ordered; empty where it is.

    What the bank says that it charged may stand between the two: on top of a payment, off a return. Where the account
    has another currency, the instructed amount counts.
    """
    if answer.amount_minor is None and answer.instructed is None:
        return ""
    if answer.amount_minor is not None and answer.currency == currency:
        charges = answer.charges if answer.outcome == "paid" else -answer.charges
        return "" if answer.amount_minor in (minor, minor + charges) else "amount_differs"
    if answer.instructed is None or answer.instructed[1] != currency:
        return "currency_differs"
    return "" if answer.instructed[0] == minor else "amount_differs"


def fee_of(answer: Answer, minor: int, currency: str) -> int:
    """Minor units that a fitting answer says the bank took within the same booking, on top or off."""
    if answer.amount_minor is None or answer.currency != currency:
        return 0
    return abs(answer.amount_minor - minor)
