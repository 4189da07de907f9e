"""Answers that wait for their addendum, and which of them are explained where there are too many for all.

Drawn is an answer of price m with probability π = min(1, c·m), where c makes the expected number the budget: which are
drawn follows from the receipt's random id, which nobody can choose, so nobody, the operator included, picks answers. A
drawn answer counts for 1/π of its price.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

from sqlalchemy import func, select

from tribute.services.explaining.training import Retrieved
from tribute.services.meter import NEVER, STEPS, masked
from tribute.services.meter.events import CALL
from tribute.services.receipts import ADDENDUM, RECEIPT
from tribute.services.store import Store, tables
from tribute.strict import parse_json


@dataclass(frozen=True)
class PendingAnswer:
    """A settled call whose receipt has no addendum yet."""

    receipt: str
    month: str
    payer: str
    artifact: str
    """The adapter's id."""
    explain: str
    """When the payer wants it explained, see `meter.EXPLAIN`."""
    paid: int
    """What funds pools, in 10⁻⁶ of the unit: the price less refunds; 0 of test keys and affiliated payers."""


def pending(store: Store, month: str | None = None) -> list[PendingAnswer]:
    """The answers that wait, of months that are not sealed, or of one; those whose payers forbid it do not."""
    row, back = tables.event.c, tables.event.alias().c
    added = select(tables.record.c.receipt).where(tables.record.c.kind == ADDENDUM)
    refunds = select(func.coalesce(func.sum(back.micro), 0)).where(back.corrects == row.receipt).scalar_subquery()
    waits = (row.type == CALL) & (row.explain != NEVER) & row.receipt.not_in(added)
    waits &= row.month == month if month else row.month > select(tables.book.c.sealed).scalar_subquery()
    columns = (row.receipt, row.month, row.subject, row.artifact, row.explain, row.micro + refunds)
    with store.reading() as connection:
        lines = connection.execute(select(*columns, row.test | row.affiliated).where(waits).order_by(row.receipt))
        return [
            PendingAnswer(receipt, its_month, payer, artifact, explain, 0 if is_free else int(paid))
            for receipt, its_month, payer, artifact, explain, paid, is_free in lines
        ]


def retrieved_of(store: Store, receipts: Sequence[str], masks: Sequence[str], names: Iterable[str]) -> list[Retrieved]:
    """What the receipts say of retrieved rows, by the contributors behind their payers' pseudonyms.

    `masks` are the receipts' payers', see meter.masked; `names` are all contributors that there are.
    """
    row, known, retrieved = tables.record.c, list(names), list[Retrieved]()
    with store.reading() as connection:
        for receipt, mask in zip(receipts, masks, strict=True):
            is_it = (row.receipt == receipt) & (row.kind == RECEIPT)
            lines = parse_json(connection.execute(select(row.payload).where(is_it)).scalar_one())["retrieved"]
            credited = [line for line in lines if line["credit"] is not None]
            behind = {masked(mask, name): name for name in known} if credited else {}
            steps = [int(Fraction(line.get("nats", line["credit"])) * STEPS) for line in credited]
            credits = Counter[str]()
            for line, own in zip(credited, steps, strict=True):
                credits[behind[line["contributor"]]] += own
            retrieved.append(Retrieved(credits, sum(own for own in steps if own > 0)))
    return retrieved


def draw(answers: Sequence[PendingAnswer], budget: int | None = None) -> dict[str, int]:
    """Receipt → π in 10⁻¹² of the answers to explain: all that were paid, or about `budget` of them."""
    paid = {answer.receipt: answer.paid for answer in answers if answer.paid > 0}
    if budget is None or len(paid) <= budget:
        return dict.fromkeys(paid, STEPS)
    chances = _chances(paid, budget)
    return {receipt: chance for receipt, chance in chances.items() if _lot(receipt) < Fraction(chance, STEPS)}


def _chances(paid: dict[str, int], budget: int) -> dict[str, int]:
    """Receipt → π; whoever would have more than 1 has 1, and the rest share what is left of the budget."""
    certain = set[str]()
    while True:
        rest = sum(price for receipt, price in paid.items() if receipt not in certain)
        left = max(0, budget - len(certain))
        above = {receipt for receipt, price in paid.items() if receipt not in certain and price * left >= rest}
        if not above or not rest:
            break
        certain |= above
    return {
        receipt: STEPS if receipt in certain else max(1, STEPS * price * left // rest)
        for receipt, price in paid.items()
    }


def _lot(receipt: str) -> Fraction:
    return Fraction(int(sha256(receipt.encode()).hexdigest(), 16), 1 << 256)
