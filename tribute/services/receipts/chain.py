"""The chain of an instance's records: each is signed, and names the digest of the one before."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, select, update

from tribute.digests import canonical
from tribute.dsse import envelope
from tribute.errors import ServiceError
from tribute.months import next_period
from tribute.services.receipts.receipt import KINDS, RECEIPT
from tribute.services.receipts.serving_key import Signer
from tribute.services.receipts.signing_process import SigningProcess
from tribute.services.store import Store, month_of, tables

_row, _this = tables.instance.c, tables.instance.c.name == bindparam("_instance", type_=Text)
# Built once, see accounts/spending.py.
_NEXT = (
    update(tables.instance)
    .where(_this, _row.incarnation == bindparam("_incarnation", type_=BigInteger))
    .values(number=_row.number + 1, time=bindparam("_now", type_=Text))
    .returning(_row.number, _row.head)
)
# Shared, so that settlements do not wait for each other, but a seal waits for all of them.
_SEALED = select(tables.book.c.sealed).with_for_update(read=True)
_ADD = tables.record.insert()
_HEAD = update(tables.instance).where(_this).values(head=bindparam("_head", type_=Text))


@dataclass(frozen=True)
class Place:
    """The next place of a chain: its number from 1, the digest before, the time, and the month that is open."""

    number: int
    previous: str
    time: str
    month: str


class Chain:
    """Appends to the chain of the store's instance, within the caller's transaction."""

    def __init__(self, store: Store, signer: Signer | SigningProcess) -> None:
        """Raises ServiceError 500 where the signer is certified for another instance."""
        if signer.certificate.instance != store.instance:
            name = signer.certificate.instance
            raise ServiceError(f"the serving key is certified for {name}, this server is {store.instance}", 500)
        self.store, self.signer = store, signer
        with store.writing() as connection:
            values = {"id": signer.id, "envelope": signer.content}
            connection.execute(store.insert(tables.certificate).values(values).on_conflict_do_nothing())

    def next(self, connection: Connection) -> Place:
        """Take the next place; other appends of this instance wait until the transaction ends.

        Raises ServiceError 503 where a later start replaced this server.
        """
        now = self.store.now()
        this = {"_instance": self.store.instance, "_incarnation": self.store.incarnation, "_now": now}
        taken = connection.execute(_NEXT, this).one_or_none()
        if taken is None:
            raise ServiceError(f"another server is instance {self.store.instance} now; this one must stop", 503)
        number, head = taken
        sealed, month = connection.execute(_SEALED).scalar_one(), month_of(now)
        return Place(number, head, now, next_period(sealed) if month <= sealed else month)

    def append(self, connection: Connection, place: Place, kind: str, receipt: str, body: dict[str, Any]) -> bytes:
        """Sign and store a record at its place: its envelope. `receipt` is the receipt that it is, or is about."""
        row = self.signed(place, kind, receipt, body)
        connection.execute(_ADD, row)
        head = sha256(row["payload"]).hexdigest()
        connection.execute(_HEAD, {"_instance": self.store.instance, "_head": head})
        return envelope(KINDS[kind], row["payload"], [(self.signer.id, row["signature"])])

    def signed(self, place: Place, kind: str, receipt: str, body: dict[str, Any]) -> dict[str, Any]:
        """A record at its place, signed, as the store's row."""
        record_id = receipt if kind == RECEIPT else f"{receipt}-{kind}"
        content = {
            "id": record_id,
            "instance": self.store.instance,
            "number": place.number,
            "previous": place.previous,
            "time": place.time,
            "month": place.month,
            **body,
        }
        payload = canonical(content)
        return {
            "id": record_id,
            "kind": kind,
            "receipt": receipt,
            "instance": self.store.instance,
            "number": place.number,
            "month": place.month,
            "certificate": self.signer.id,
            "payload": payload,
            "signature": self.signer.sign(kind, payload, place.time),
        }


def envelope_of(connection: Connection, record: str) -> bytes:
    """A stored receipt or addendum in its envelope. Raises ServiceError 404."""
    row = connection.execute(select(tables.record).where(tables.record.c.id == record)).one_or_none()
    if row is None:
        raise ServiceError(f"receipt {record!r} is unknown", 404)
    return envelope(KINDS[row.kind], row.payload, [(row.certificate, row.signature)])
