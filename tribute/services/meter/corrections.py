"""What follows a settled call: a refund, which is a new event that names the receipt, and the signed addendum."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, update

from tribute.digests import canonical
from tribute.errors import ServiceError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.services.meter.events import CORRECTION, add_event, common_fields
from tribute.services.meter.meter import Meter
from tribute.services.meter.texts import forget, mark_explained
from tribute.services.receipts import ADDENDUM, RECEIPT, Chain, Place, envelope_of
from tribute.services.store import tables
from tribute.strict import parse_json


def refund(meter: Meter, receipt: str, micro: int, refund_id: str, reason: str) -> bytes:
    """Give a payer back `micro` of what a receipt charged: the correction's receipt in its envelope.

    The refund stands in the open month, and the call's texts are forgotten at once. The money returns to the payer;
    the budgets of keys limit use and are not raised again. The same `refund_id` counts once. Raises ServiceError: 404
    without that receipt, 409 where the id is another refund's, 422 for an id that cannot be, or an amount of more than
    what is left of the charge.
    """
    if not is_id(refund_id):
        raise ServiceError(f"refund {refund_id!r}: expected {ID_IN_WORDS}", 422)
    with meter.store.writing() as connection:
        # The lock keeps two refunds at once from giving back more than was charged.
        charged = _event(connection, receipt)
        event = _correction(meter, charged, micro, refund_id)
        event["body_sha256"] = meter.texts.fingerprint(canonical(event), reason.encode())
        same = (tables.event.c.source == event["source"]) & (tables.event.c.id == refund_id)
        earlier = connection.execute(select(tables.event).where(same)).one_or_none()
        if earlier is not None:
            if earlier.body_sha256 != event["body_sha256"]:
                raise ServiceError(f"refund {refund_id} is another one already; choose a new id", 409)
            return envelope_of(connection, earlier.receipt)
        given = select(func.coalesce(func.sum(tables.event.c.micro), 0)).where(tables.event.c.corrects == receipt)
        left = charged.micro + int(connection.execute(given).scalar_one())
        if not 0 < micro <= left:
            raise ServiceError(f"refund of {micro}: {left} are left of what {receipt} charged", 422)
        place = meter.chain.next(connection)
        if not charged.test:
            spent = tables.account.c.spent - micro
            payer = tables.account.c.id == charged.subject
            connection.execute(update(tables.account).where(payer).values(spent=spent))
        # It comes off what the charge went to, whatever the payer has become since.
        add_event(connection, event | {"affiliated": charged.affiliated}, place)
        forget(connection, tables.text.c.receipt == receipt)
        body = common_fields(event) | {"payer": meter.texts.pseudonym(charged.subject), "reason": reason}
        return meter.chain.append(connection, place, RECEIPT, event["receipt"], body)


def left_of(meter: Meter, receipt: str, refund_id: str) -> int:
    """What a receipt charged less other refunds: what a refund of this id may be. Raises ServiceError 404."""
    row = tables.event.c
    others = (row.corrects == receipt) & (row.id != refund_id)
    with meter.store.reading() as connection:
        charged = connection.execute(select(row.micro).where(row.receipt == receipt)).scalar()
        given = connection.execute(select(func.coalesce(func.sum(row.micro), 0)).where(others)).scalar_one()
    if charged is None:
        raise ServiceError(f"receipt {receipt!r} is unknown", 404)
    return int(charged) + int(given)


STEPS = 10**12
"""Credits and probabilities are integers of 10⁻¹²."""


def nats(steps: int) -> str:
    """An integer of 10⁻¹² as an addendum writes it, with 12 decimals."""
    whole, rest = divmod(abs(steps), STEPS)
    return f"{'-' if steps < 0 else ''}{whole}.{rest:012d}"


class Figures(NamedTuple):
    """What an addendum says beside whom it names: see `tables.explanation`."""

    status: str
    probability: int
    positive: int
    part: int


@dataclass(frozen=True)
class Training:
    """What an addendum says, and what the seal writes of it."""

    field: Mapping[str, Any]
    """The field that the receipt left `pending`; it names contributors by the payer's pseudonyms."""
    figures: Figures
    credits: Mapping[str, tuple[int, int]]
    """Contributor → signed and absolute credit in 10⁻¹² nats."""


def add_addendum(meter: Meter, receipt: str, training: Training) -> bytes:
    """Complete a receipt by who moved the answer: the signed addendum in its envelope, in the receipt's month.

    A receipt has one addendum; adding the same again gives it back. Raises ServiceError: 404 without that receipt, 409
    where it has another addendum, 422 where its month is sealed.
    """
    with meter.store.writing() as connection:
        event = _event(connection, receipt)
        is_it = (tables.record.c.receipt == receipt) & (tables.record.c.kind == ADDENDUM)
        earlier = connection.execute(select(tables.record.c.id, tables.record.c.payload).where(is_it)).one_or_none()
        if earlier is not None:
            if canonical(parse_json(earlier.payload)["training"]) != canonical(dict(training.field)):
                raise ServiceError(f"{receipt} has its addendum already, with other figures", 409)
            return envelope_of(connection, earlier.id)
        place = meter.chain.next(connection)
        if event.month <= connection.execute(select(tables.book.c.sealed)).scalar_one():
            raise ServiceError(f"{receipt} is of {event.month}, which is sealed; an addendum comes before", 422)
        mark_explained(connection, receipt)
        return append_addendum(meter.chain, connection, {"receipt": receipt, "month": event.month}, training, place)


def append_addendum(
    chain: Chain, connection: Connection, event: Mapping[str, Any], training: Training, place: Place | None = None
) -> bytes:
    """Sign and store an addendum that nothing speaks against: of `receipt`, in its `month`, or in the open one."""
    place = place or chain.next(connection)
    receipt, month = event["receipt"], event.get("month", place.month)
    rows = [
        {"receipt": receipt, "month": month, "contributor": name, "signed": signed, "absolute": absolute}
        for name, (signed, absolute) in training.credits.items()
    ]
    connection.execute(tables.explanation.insert().values(receipt=receipt, **training.figures._asdict()))
    if rows:
        connection.execute(tables.credit.insert(), rows)
    body = {"receipt": receipt, "training": dict(training.field)}
    return chain.append(connection, replace(place, month=month), ADDENDUM, receipt, body)


def _event(connection: Connection, receipt: str) -> Row[Any]:
    """The event of a receipt; other corrections of it wait until the transaction ends. Raises ServiceError 404."""
    stored = select(tables.event).where(tables.event.c.receipt == receipt).with_for_update()
    row = connection.execute(stored).one_or_none()
    if row is None:
        raise ServiceError(f"receipt {receipt!r} is unknown", 404)
    return row


def _correction(meter: Meter, charged: Row[Any], micro: int, refund_id: str) -> dict[str, Any]:
    """The event that gives back `micro` of what an event charged."""
    kept = ("subject", "agent", "path", "model", "artifact", "price_version", "currency", "test", "complete")
    return {
        **{name: charged._mapping[name] for name in (*kept, "explain", "parent")},
        "source": meter.source,
        "id": refund_id,
        "type": CORRECTION,
        "input_tokens": 0,
        "output_tokens": 0,
        "micro": -micro,
        "idempotency_key": None,
        "fingerprint": charged.fingerprint,
        "corrects": charged.receipt,
        "receipt": f"receipt-{meter.texts.fingerprint(meter.source.encode(), refund_id.encode())[:24]}",
    }
