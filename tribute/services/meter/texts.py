"""Requests and answers, encrypted under a key per call, so that a text is forgotten by forgetting its key.

The call's key is wrapped by the store's key, which is not in the store: who finds the database reads no text. A text
stays at least a day for retries, and until it is explained; a refund, an erasure or the close of its month is sooner.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import digest
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from sqlalchemy import ColumnElement, Connection, delete, select, update

from tribute.errors import ServiceError
from tribute.services.meter.calls import Pair
from tribute.services.store import Store, as_text, parse_time, tables
from tribute.strict import parse_json

RETRIES = timedelta(hours=24)
"""For how long an answer is kept at least, so that a retry gets it."""
_NONCE = bytes(12)
"""The same for all: a call's key encrypts once."""
_KEPT = select(tables.text.c.receipt, tables.text.c.content, tables.text_key.c.wrapped).join(
    tables.text_key, tables.text.c.receipt == tables.text_key.c.receipt
)

# Built once, see accounts/spending.py.
_KEEP, _KEEP_KEY = tables.text.insert(), tables.text_key.insert()


@dataclass(frozen=True)
class Text:
    """A call's request and answer, the salt of their hashes in its receipt, and the tokens that explain it."""

    request: bytes
    answer: bytes
    salt: bytes
    tokens: bytes = b"[]"
    """`Answer.pairs` as JSON; empty where the answer is not to be explained."""

    @property
    def pairs(self) -> list[Pair]:
        """See Answer."""
        return [(question, answer) for question, answer in parse_json(self.tokens)]


class Texts:
    """The texts of a store; `key` is the store's key, 32 bytes that are kept apart from it."""

    def __init__(self, store: Store, key: bytes) -> None:
        if len(key) != 32:
            raise ServiceError(f"the store's key has {len(key)} bytes, expected 32", 500)
        self.store, self._key = store, key

    def fingerprint(self, *parts: bytes) -> str:
        """A keyed hash that recognises the same parts again, and that nobody without the key can try texts against."""
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return digest(self._key, message, "sha256").hex()

    def pseudonym(self, payer: str) -> str:
        """The name under which receipts speak of a payer."""
        return f"payer-{self.fingerprint(b'payer', payer.encode())[:16]}"

    def mask(self, payer: str) -> str:
        """What hides contributors from this payer, 64 hex digits: see `masked`."""
        return self.fingerprint(b"contributors", payer.encode())

    def keep(self, connection: Connection, receipt: str, text: Text, time: str) -> None:
        """Store a call's texts under a new key; without tokens there is nothing to wait for."""
        key = AESGCM.generate_key(256)
        fields = {name: b64encode(value).decode() for name, value in vars(text).items()}
        content = AESGCM(key).encrypt(_NONCE, json.dumps(fields).encode(), receipt.encode())
        values = {"receipt": receipt, "settled": time, "explained": text.tokens == b"[]", "content": content}
        connection.execute(_KEEP, values)
        connection.execute(_KEEP_KEY, {"receipt": receipt, "wrapped": aes_key_wrap(self._key, key)})

    def read(self, connection: Connection, receipt: str) -> Text:
        """A call's texts. Raises ServiceError 410 where they are forgotten."""
        row = connection.execute(_KEPT.where(tables.text.c.receipt == receipt)).one_or_none()
        if row is None:
            raise ServiceError(f"the texts of {receipt} are forgotten; the receipt remains", 410)
        return self._decrypt(row)

    def open(self, receipt: str) -> Text:
        """A call's texts, to explain its answer. Raises ServiceError 410."""
        with self.store.reading() as connection:
            return self.read(connection, receipt)

    def forget(self, receipt: str) -> None:
        """Destroy the key of a call's texts now."""
        with self.store.writing() as connection:
            forget(connection, tables.text.c.receipt == receipt)

    def forget_where(self, matches: Callable[[Text], bool]) -> list[str]:
        """Forget the calls whose texts match, and what the database's own log has of them: their receipts' ids."""
        with self.store.reading() as connection:
            kept = connection.execute(_KEPT.order_by(tables.text.c.receipt))
            chosen = [str(row.receipt) for row in kept if matches(self._decrypt(row))]
        with self.store.writing() as connection:
            for receipt in chosen:
                forget(connection, tables.text.c.receipt == receipt)
        self.store.sweep()
        return chosen

    def forget_due(self) -> int:
        """Forget what is explained and older than a day: how many calls' texts."""
        old = as_text(parse_time(self.store.now()) - RETRIES)
        with self.store.writing() as connection:
            return forget(connection, tables.text.c.explained & (tables.text.c.settled <= old))

    def _decrypt(self, row: Any) -> Text:
        """A row of `_KEPT`."""
        key = aes_key_unwrap(self._key, row.wrapped)
        fields = parse_json(AESGCM(key).decrypt(_NONCE, row.content, row.receipt.encode()))
        return Text(**{name: b64decode(value) for name, value in fields.items()})

    def forget_month(self, month: str) -> int:
        """Forget what was settled up to a sealed month and is a day old, explained or not: how many calls' texts."""
        old = as_text(parse_time(self.store.now()) - RETRIES)
        with self.store.writing() as connection:
            return forget(connection, (tables.text.c.settled < f"{month}~") & (tables.text.c.settled <= old))


def masked(mask: str, contributor: str) -> str:
    """The name under which a payer's receipts speak of a contributor; another payer's speak of them by another."""
    return f"contributor-{sha256(bytes.fromhex(mask) + contributor.encode()).hexdigest()[:16]}"


def mark_explained(connection: Connection, receipt: str) -> None:
    """Say that a call's texts are no longer needed to explain its answer."""
    connection.execute(update(tables.text).where(tables.text.c.receipt == receipt).values(explained=True))


def forget(connection: Connection, which: ColumnElement[bool]) -> int:
    """Destroy the keys, and remove what they decrypted: how many calls' texts."""
    receipts = select(tables.text.c.receipt).where(which)
    connection.execute(delete(tables.text_key).where(tables.text_key.c.receipt.in_(receipts)))
    return connection.execute(delete(tables.text).where(which)).rowcount
