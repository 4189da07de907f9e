"""What the holder of a key may read: usage and receipts of the key itself and of the keys below it, nobody else's."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_, select

from tribute.errors import ServiceError
from tribute.services.accounts import Key
from tribute.services.receipts import ADDENDUM, envelope_of
from tribute.services.store import Store, tables


@dataclass(frozen=True)
class Usage:
    """What a month's calls of one model read, wrote and cost, refunds deducted."""

    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    micro: int


def usage(store: Store, key: Key, month: str) -> list[Usage]:
    """A month's usage of a key and those below it, a line per model, in the order of their names."""
    row = tables.event.c
    calls = func.count().filter(row.corrects.is_(None))
    sums = (func.sum(amount) for amount in (row.input_tokens, row.output_tokens, row.micro))
    by_model = select(row.model, calls, *sums).where(_below(key), row.month == month)
    with store.reading() as connection:
        lines = connection.execute(by_model.group_by(row.model).order_by(row.model))
        return [Usage(line[0], *map(int, line[1:])) for line in lines]


def bundle_of(store: Store, receipt: str) -> dict[str, str]:
    """The bundle of any receipt, for the operator. Raises ServiceError 404."""
    with store.reading() as connection:
        return _bundle(connection, receipt)


def receipt_bundle(store: Store, key: Key, receipt: str) -> dict[str, str]:
    """`receipt, certificate` and, if any, `addendum, addendum_certificate`: what tools/verify_receipt.py reads.

    Raises ServiceError 404 where the key may not read such a receipt; another payer's does not exist for it.
    """
    with store.reading() as connection:
        mine = select(tables.event.c.receipt).where(_below(key), tables.event.c.receipt == receipt)
        # PostgreSQL's texts hold no zero byte, and asking for one would be an error.
        if not receipt.isprintable() or connection.execute(mine).scalar() is None:
            raise ServiceError(f"receipt {receipt!r} is unknown to this key", 404)
        return _bundle(connection, receipt)


def _bundle(connection: Connection, receipt: str) -> dict[str, str]:
    bundle = _signed(connection, receipt, "receipt", "certificate")
    added = (tables.record.c.receipt == receipt) & (tables.record.c.kind == ADDENDUM)
    addendum = connection.execute(select(tables.record.c.id).where(added)).scalar()
    if addendum is not None:
        bundle |= _signed(connection, addendum, "addendum", "addendum_certificate")
    return bundle


def _signed(connection: Connection, record: str, *names: str) -> dict[str, str]:
    """A record's envelope and the certificate of the key that signed it, under these two names."""
    both = select(tables.certificate.c.envelope).join(
        tables.record, tables.record.c.certificate == tables.certificate.c.id
    )
    content = envelope_of(connection, record).decode()
    certificate = bytes(connection.execute(both.where(tables.record.c.id == record)).scalar_one())
    return dict(zip(names, (content, certificate.decode()), strict=True))


def _below(key: Key) -> ColumnElement[bool]:
    """Events of a key and of those below it."""
    path = "/".join(key.path)
    return or_(tables.event.c.path == path, tables.event.c.path.startswith(f"{path}/", autoescape=True))
