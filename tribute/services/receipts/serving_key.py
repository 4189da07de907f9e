"""The serving key: the registry's key certifies it for receipts only, for one server and until a day.

Receipts are signed on a machine that faces the network, so their key must be able to do nothing else: releases,
price lists and closed periods need the registry's or the closers' keys.
"""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from tribute.digests import canonical
from tribute.dsse import Envelope, envelope, pae
from tribute.errors import IntegrityError, ServiceError
from tribute.keys import Key, public_half, sign
from tribute.services.receipts.receipt import KINDS
from tribute.strict import parse_json

PAYLOAD_TYPE = "application/vnd.tribute.serving-key.v1+json"
PURPOSE = "receipts"


@dataclass(frozen=True)
class Certificate:
    """What the registry's key says of a serving key (public half): whose it is, and from when until when."""

    public: str
    instance: str
    valid_from: str
    valid_until: str

    def covers(self, time: str) -> bool:
        """Whether the key may sign at this time."""
        return self.valid_from <= time < self.valid_until


def certify(certificate: Certificate, registry: Key) -> bytes:
    """The certificate in its envelope, signed by the registry's key."""
    payload = canonical({**vars(certificate), "purpose": PURPOSE})
    return envelope(PAYLOAD_TYPE, payload, [(public_half(registry), sign(registry, pae(PAYLOAD_TYPE, payload)))])


def read_certificate(content: bytes, registry: Collection[str]) -> Certificate:
    """A certificate. Raises IntegrityError unless one of the registry's keys (public halves) signed it for receipts."""
    fields = parse_json(Envelope.parse(content, "certificate").check_any(PAYLOAD_TYPE, registry, "certificate"))
    if fields.pop("purpose", None) != PURPOSE:
        raise IntegrityError(f"certificate: not for {PURPOSE}; certify the serving key again")
    return Certificate(**fields)


class Signer:
    """Signs receipts and addenda, and nothing else, with a certified key."""

    def __init__(self, key: Key, certificate: bytes, registry: Collection[str]) -> None:
        """`registry` has the public halves of the registry's keys. Raises IntegrityError where they do not fit."""
        self.certificate = read_certificate(certificate, registry)
        if self.certificate.public != public_half(key):
            raise IntegrityError("the certificate is of another serving key; certify this one")
        self.content = certificate
        self.id = sha256(certificate).hexdigest()
        self._key = key

    def sign(self, kind: str, payload: bytes, time: str) -> str:
        """The signature (base64) of a payload of `KINDS`. Raises ServiceError: 422 for another kind, 503 too late."""
        if kind not in KINDS:
            raise ServiceError(f"found {kind!r} to be signed, expected one of {', '.join(KINDS)}", 422)
        if not self.certificate.covers(time):
            start, end = self.certificate.valid_from, self.certificate.valid_until
            raise ServiceError(f"at {time} the serving key cannot sign: it is certified from {start} until {end}", 503)
        return sign(self._key, pae(KINDS[kind], payload))
