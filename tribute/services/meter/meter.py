"""Hold before a call, settle after it. Knows nothing of HTTP and of models.

A hold is one transaction with one conditional UPDATE per key of the path, root first, so calls at once never exceed a
budget. A settlement is one durable transaction: event, receipt and charge are there together or not at all. What a
killed server held is released at its next start, and costs nothing; an answer that was charged is stored complete, so
a retry with the same Idempotency-Key gets it without a second charge.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select
from sqlalchemy import Text as SqlText
from sqlalchemy.exc import IntegrityError

from tribute.digests import canonical
from tribute.dsse import Envelope
from tribute.errors import ServiceError
from tribute.services.accounts import MILLION, Key, release, reserve, spend
from tribute.services.meter.calls import NEVER, Answer, Call, Hold, Settlement
from tribute.services.meter.events import AGENT_CALL, add_event, call_event, call_receipt
from tribute.services.meter.nested import Within, give_back, hold_of, parent_of, pay_from, room_for, take, within
from tribute.services.meter.texts import Text, Texts
from tribute.services.prices import Prices
from tribute.services.receipts import RECEIPT, Chain, Signer, SigningProcess, envelope_of
from tribute.services.store import Store, as_text, parse_time, tables
from tribute.strict import parse_json

LONGEST_CALL = timedelta(hours=1)
"""After this a hold may be released: the server that took it may never start again."""
LONGEST_NAME = 255
"""Characters of an Idempotency-Key."""
# Built once, see accounts/spending.py; an INSERT that ignores conflicts is compiled anew each time.
_NEW = tables.hold.insert()
_END = delete(tables.hold).where(tables.hold.c.id == bindparam("_id", type_=SqlText)).returning(tables.hold)


class Meter:
    """The meter of an open store. Made at a server's start: what an earlier life of it held is released."""

    def __init__(self, store: Store, prices: Prices, texts: Texts, signer: Signer | SigningProcess) -> None:
        self.store, self.prices, self.texts = store, prices, texts
        self.chain = Chain(store, signer)
        self.source = f"urn:tribute:{store.instance}"
        row = tables.hold.c
        self._release_where((row.instance == store.instance) & (row.incarnation < store.incarnation))
        self.release_expired()

    def hold(self, key: Key, call: Call) -> Hold | Settlement:
        """Hold the most that a call may cost; or the settlement, where the same call was settled before.

        Raises ServiceError, and holds nothing: 401 where a key of the path is revoked or ended; 402 where cap, budget
        or money do not suffice; 403 where the key may not call the model; 404 where the model has no price; 409 where
        the Idempotency-Key is another call's, or this call is in flight; 410 where it was settled and its answer is
        forgotten; 422 for an Idempotency-Key that is too long or not printable. Within an agent's call also 402 where
        less is left of it, 403 where it is another key's, 404 where none is in flight.
        """
        if not key.allows(call.model.name):
            raise ServiceError(f"key {key.id} may not call {call.model.name}; ask for a key that may", 403)
        prices = self.prices.current()
        micro = prices.cost(call.model.name, call.input_tokens, call.most_output_tokens)
        hold = Hold(
            id=f"call-{secrets.token_hex(12)}",
            key=key,
            call=call,
            micro=micro,
            price_version=prices.version,
            expires=as_text(parse_time(self.store.now()) + LONGEST_CALL),
            fingerprint=self.texts.fingerprint(call.request),
        )
        return self.take(hold)

    def take(self, hold: Hold) -> Hold | Settlement:
        """Record a hold and reserve its amount, as `hold` says."""
        key, name, now = hold.key, hold.call.idempotency_key, self.store.now()
        if name is not None and not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
            raise ServiceError(f"expected an Idempotency-Key of 1 to {LONGEST_NAME} printable characters", 422)
        # A hold that a power cut takes back was of a call that is not settled, so it is free anyway.
        with self.store.writing(durable=False) as connection:
            parent = parent_of(connection, key, hold.call.parent, now) if hold.call.parent is not None else None
            if parent is not None:
                hold = replace(hold, covered=parent.covered, expires=min(hold.expires, parent.expires))
            try:
                connection.execute(_NEW, self._row(hold))
            except IntegrityError as error:
                if name is None:
                    raise
                raise ServiceError("a call with this Idempotency-Key is in flight; try again later", 409) from error
            earlier = self._earlier(connection, key, name, hold.fingerprint)
            if earlier is None:
                if parent is not None:
                    take(connection, parent, key.path, hold.micro, now)
                reserve(connection, hold.own_path, hold.micro, now, hold.own_payer)
                return hold
            connection.execute(delete(tables.hold).where(tables.hold.c.id == hold.id))
        return earlier

    def earlier(self, key: Key, name: str | None, request: bytes) -> Settlement | None:
        """The settlement of the call that a request repeats, whatever model answered it; None where there is none.

        `name` is the Idempotency-Key. Raises ServiceError 409 and 410 as `hold` does.
        """
        if name is None:
            return None
        with self.store.reading() as connection:
            return self._earlier(connection, key, name, self.texts.fingerprint(request))

    def release(self, hold: Hold) -> None:
        """Give a hold back: the call was not answered, and costs nothing. A hold that is gone is no error."""
        self._release_where(tables.hold.c.id == hold.id)

    def release_expired(self) -> int:
        """Release the holds of servers that did not end them in time: how many. A call among them is free."""
        return self._release_where(tables.hold.c.expires <= self.store.now())

    def settle(self, hold: Hold, answer: Answer) -> Settlement:
        """Charge what was answered and give back the rest of the hold, with event and receipt in one transaction.

        An agent's call is charged the agent's margin on what the calls within it cost. Settling the same hold with
        the same answer again gives the same settlement. Raises ServiceError: 409 where the hold was settled with
        another answer, or released, or calls within it are in flight; 422 where the answer costs more than was held;
        503 where the store does not answer, after which settling again is safe.
        """
        key, salt, currency = hold.key, secrets.token_bytes(32), self.prices.version(hold.price_version).currency
        with self.store.writing() as connection:
            row = connection.execute(_END, {"_id": hold.id}).one_or_none()
            micro, inner = self._cost(hold, answer), Within()
            if hold.margin is not None:
                micro, inner = _margin(connection, hold, row)
            event = call_event(self.source, hold, answer, micro, currency)
            event["body_sha256"] = self.texts.fingerprint(canonical(event), answer.content)
            if row is None:
                return self._repeated(connection, event)
            pay_from(connection, row.parent, row.micro, micro)
            place = self.chain.next(connection)
            if hold.covered:
                covered = key.path[: hold.covered]
                spend(connection, covered, micro, micro, place.time, None if key.test else key.payer)
            spend(connection, hold.own_path, row.micro, micro, place.time, hold.own_payer)
            add_event(connection, event, place)
            body = call_receipt(event, hold, answer, salt, inner) | {"payer": self.texts.pseudonym(key.payer)}
            content = self.chain.append(connection, place, RECEIPT, event["receipt"], body)
            pairs = [] if answer.explain == NEVER else [[list(asked), given] for asked, given in answer.pairs]
            text = Text(hold.call.request, answer.content, salt, json.dumps(pairs).encode())
            self.texts.keep(connection, event["receipt"], text, place.time)
        total = micro + inner.micro
        return Settlement(event["receipt"], total, answer.content, answer.complete, salt, content)

    def ended(self, key: Key, receipt: str, content: bytes) -> Settlement:
        """The settlement of an agent's call that this key ended with this answer. Raises ServiceError 404, 409."""
        row = tables.event.c
        mine = (row.receipt == receipt) & (row.path == "/".join(key.path)) & (row.type == AGENT_CALL)
        with self.store.reading() as connection:
            event = (
                connection.execute(select(tables.event).where(mine)).one_or_none() if receipt.isprintable() else None
            )
            if event is None:
                raise ServiceError(f"this key opened no call {receipt[:80]!r}, or it was not ended in time", 404)
            settlement = self._settlement(connection, event)
        if settlement.content != content:
            raise ServiceError(f"{receipt} was ended with another answer; a call ends once", 409)
        return settlement

    def _cost(self, hold: Hold, answer: Answer) -> int:
        """What an answer costs by the hold's price list. Raises ServiceError 422 where more than was held."""
        if hold.margin is not None:
            return 0
        prices = self.prices.version(hold.price_version)
        micro = prices.cost(hold.call.model.name, answer.input_tokens, answer.output_tokens)
        if micro > hold.micro:
            raise ServiceError(
                f"{hold.id}: the answer costs {micro}, {hold.micro} were held; hold for what may come", 422
            )
        return micro

    def _row(self, hold: Hold) -> dict[str, Any]:
        return {
            "id": hold.id,
            "payer": hold.key.payer,
            "idempotency_key": hold.call.idempotency_key,
            "fingerprint": hold.fingerprint,
            "path": "/".join(hold.key.path),
            "test": hold.key.test,
            "micro": hold.micro,
            "price_version": hold.price_version,
            "trace": hold.call.trace and f"{hold.call.trace.trace}-{hold.call.trace.span}",
            "parent": hold.call.parent and hold_of(hold.call.parent),
            "covered": hold.covered,
            "margin": hold.margin,
            "room": 0 if hold.margin is None else room_for(hold.micro, hold.margin),
            "taken": 0,
            "used": 0,
            "instance": self.store.instance,
            "incarnation": self.store.incarnation,
            "expires": hold.expires,
        }

    def _release_where(self, which: ColumnElement[bool]) -> int:
        """Delete holds and give their amounts back, in one transaction: how many."""
        with self.store.writing() as connection:
            rows = connection.execute(delete(tables.hold).where(which).returning(tables.hold)).all()
            for row in sorted(rows, key=lambda row: row.path):
                give_back(connection, row.parent, row.micro)
                own_path = row.path.split("/")[row.covered :]
                release(connection, own_path, row.micro, None if row.test or row.covered else row.payer)
        return len(rows)

    def _earlier(self, connection: Connection, key: Key, name: str | None, fingerprint: str) -> Settlement | None:
        """The settlement of the call that has this name. Raises ServiceError 409 where it is another call."""
        if name is None:
            return None
        row = tables.event.c
        same_name = (row.subject == key.payer) & (row.idempotency_key == name)
        event = connection.execute(select(tables.event).where(same_name)).one_or_none()
        if event is None:
            return None
        # Who may read an answer is the key that asked, and the keys above it; a sibling may not fetch it by a retry.
        if event.fingerprint != fingerprint or key.id not in event.path.split("/"):
            raise ServiceError("another call has this Idempotency-Key already; choose a new one", 409)
        return self._settlement(connection, event)

    def _repeated(self, connection: Connection, event: Mapping[str, Any]) -> Settlement:
        """The settlement that an event repeats. Raises ServiceError 409 where there is none, or another."""
        same = (tables.event.c.source == event["source"]) & (tables.event.c.id == event["id"])
        row = connection.execute(select(tables.event).where(same)).one_or_none()
        if row is None:
            raise ServiceError(f"{event['id']}: its hold was released, so it is free; hold again", 409)
        if row.body_sha256 != event["body_sha256"]:
            raise ServiceError(f"{event['id']} was settled with another answer; an event counts once", 409)
        return self._settlement(connection, row)

    def _settlement(self, connection: Connection, event: Row[Any]) -> Settlement:
        """A recorded settlement, on the disk. Raises ServiceError 410 where its answer is forgotten."""
        text = self.texts.read(connection, event.receipt)
        self.store.sync()
        content = envelope_of(connection, event.receipt)
        price = parse_json(Envelope.parse(content, "receipt").payload)["price"]
        return Settlement(event.receipt, price["total"], text.answer, event.complete, text.salt, content)


def _margin(connection: Connection, hold: Hold, row: Row[Any] | None) -> tuple[int, Within]:
    """What an agent keeps, and what the calls within its call cost. Raises ServiceError 409 while one is in flight."""
    if row is None:
        raise ServiceError(f"{hold.receipt} ended already, or was not ended in time; ask for its receipt", 409)
    if row.taken:
        raise ServiceError(f"calls within {hold.receipt} are in flight; end it after them", 409)
    return row.used * row.margin // MILLION, within(connection, hold.receipt, row.used)
