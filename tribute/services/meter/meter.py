"""Hold before a call, settle after it. Knows nothing of HTTP and of models.

A hold is one transaction with one conditional UPDATE per key of the path, root first, so calls at once never exceed a
budget. A settlement is one transaction, too: event, receipt and charge are there together or not at all. What a
killed server held is released at its next start, and costs nothing; an answer that was charged is stored complete, so
a retry with the same Idempotency-Key gets it without a second charge.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select

from tribute.digests import canonical
from tribute.errors import ServiceError
from tribute.services.accounts import Key, release, reserve, spend
from tribute.services.meter.calls import Answer, Call, Hold, Settlement
from tribute.services.meter.events import add_event, call_event, call_receipt
from tribute.services.meter.texts import Text, Texts
from tribute.services.prices import Prices
from tribute.services.receipts import RECEIPT, Chain, Signer, SigningProcess, envelope_of
from tribute.services.store import Store, as_text, parse_time, tables

LONGEST_CALL = timedelta(hours=1)
"""After this a hold may be released: the server that took it may never start again."""
LONGEST_NAME = 255
"""Characters of an Idempotency-Key."""


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
        forgotten; 422 for an Idempotency-Key that is too long or not printable.
        """
        if not key.allows(call.model.name):
            raise ServiceError(f"key {key.id} may not call {call.model.name}; ask for a key that may", 403)
        name = call.idempotency_key
        if name is not None and not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
            raise ServiceError(f"expected an Idempotency-Key of 1 to {LONGEST_NAME} printable characters", 422)
        prices = self.prices.current()
        micro = prices.cost(call.model.name, call.input_tokens, call.most_output_tokens)
        now = self.store.now()
        hold = Hold(
            id=f"call-{secrets.token_hex(12)}",
            key=key,
            call=call,
            micro=micro,
            price_version=prices.version,
            expires=as_text(parse_time(now) + LONGEST_CALL),
            fingerprint=self.texts.fingerprint(call.request),
        )
        with self.store.writing() as connection:
            new = self.store.insert(tables.hold).values(self._row(hold)).on_conflict_do_nothing()
            if not connection.execute(new).rowcount:
                raise ServiceError("a call with this Idempotency-Key is in flight; try again when it has ended", 409)
            earlier = self._earlier(connection, key, name, hold.fingerprint)
            if earlier is None:
                reserve(connection, key.path, micro, now, None if key.test else key.payer)
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

        Settling the same hold with the same answer again gives the same settlement. Raises ServiceError: 409 where
        the hold was settled with another answer, or released; 422 where the answer costs more than was held; 503
        where the store does not answer, after which settling again is safe.
        """
        prices = self.prices.version(hold.price_version)
        micro = prices.cost(hold.call.model.name, answer.input_tokens, answer.output_tokens)
        if micro > hold.micro:
            raise ServiceError(
                f"{hold.id}: the answer costs {micro}, {hold.micro} were held; hold for what may come", 422
            )
        event = call_event(self.source, hold, answer, micro, prices.currency)
        event["body_sha256"] = self.texts.fingerprint(canonical(event), answer.content)
        key, salt = hold.key, secrets.token_bytes(32)
        with self.store.writing() as connection:
            if not connection.execute(delete(tables.hold).where(tables.hold.c.id == hold.id)).rowcount:
                return self._repeated(connection, event)
            place = self.chain.next(connection)
            spend(connection, key.path, hold.micro, micro, place.time, None if key.test else key.payer)
            add_event(connection, event, place)
            body = call_receipt(event, hold, answer, salt) | {"payer": self.texts.pseudonym(key.payer)}
            content = self.chain.append(connection, place, RECEIPT, event["receipt"], body)
            self.texts.keep(connection, event["receipt"], Text(hold.call.request, answer.content, salt), place.time)
        return Settlement(event["receipt"], micro, answer.content, answer.complete, salt, content)

    def _row(self, hold: Hold) -> dict[str, Any]:
        return {
            "id": hold.id,
            "payer": hold.key.payer,
            "idempotency_key": hold.call.idempotency_key,
            "fingerprint": hold.fingerprint,
            "path": "/".join(hold.key.path),
            "test": hold.key.test,
            "micro": hold.micro,
            "instance": self.store.instance,
            "incarnation": self.store.incarnation,
            "expires": hold.expires,
        }

    def _release_where(self, which: ColumnElement[bool]) -> int:
        """Delete holds and give their amounts back, in one transaction: how many."""
        with self.store.writing() as connection:
            rows = connection.execute(delete(tables.hold).where(which).returning(tables.hold)).all()
            for row in sorted(rows, key=lambda row: row.path):
                release(connection, row.path.split("/"), row.micro, None if row.test else row.payer)
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
        """A recorded settlement. Raises ServiceError 410 where its answer is forgotten."""
        text = self.texts.read(connection, event.receipt)
        content = envelope_of(connection, event.receipt)
        return Settlement(event.receipt, event.micro, text.answer, event.complete, text.salt, content)
