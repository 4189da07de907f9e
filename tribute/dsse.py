"""DSSE envelopes: a payload, its type, and Ed25519 signatures over both. Knows nothing of what is signed.

The specification is github.com/secure-systems-lab/dsse, protocol.md and envelope.md. The type is part of what is
signed, so an envelope of one type never passes for another, whatever key signed it.
"""

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tribute.digests import canonical
from tribute.errors import IntegrityError
from tribute.keys import check_signature
from tribute.strict import parse_json


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed. `kind` is the payload's type."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def envelope(kind: str, payload: bytes, signatures: Iterable[tuple[str, str]]) -> bytes:
    """The envelope in RFC 8785 form; a signature is (key id, base64). Raises ValueError where it is not base64."""
    return canonical(
        {
            "payload": b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [
                {"keyid": name, "sig": b64encode(b64decode(signature, validate=True)).decode()}
                for name, signature in signatures
            ],
        }
    )


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope: the payload's bytes, its type, and the signatures as (key id, base64)."""

    kind: str
    payload: bytes
    signatures: list[tuple[str, str]]

    @classmethod
    def parse(cls, content: bytes, what: str) -> "Envelope":
        """Raises IntegrityError unless `content` is an envelope in RFC 8785 form; `what` names it in the message."""
        try:
            fields = parse_json(content)
            payload = b64decode(fields["payload"], validate=True)
            signatures = [(str(item["keyid"]), item["sig"]) for item in fields["signatures"]]
            parsed = cls(str(fields["payloadType"]), payload, signatures)
            again = envelope(parsed.kind, parsed.payload, parsed.signatures)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{what}: no envelope that can be read ({error}); restore it") from error
        if again != content:
            raise IntegrityError(f"{what}: the envelope is not in canonical form; restore it")
        return parsed

    def check(self, kind: str, public: str, what: str) -> bytes:
        """The payload. Raises IntegrityError unless it has this type and its only signature is by this public key."""
        if self.kind != kind or len(self.signatures) != 1:
            raise IntegrityError(
                f"{what}: found {len(self.signatures)} signatures over {self.kind}, expected 1 over {kind}"
            )
        check_signature(public, self.signatures[0][1], pae(self.kind, self.payload), what)
        return self.payload

    def check_any(self, kind: str, publics: Collection[str], what: str) -> bytes:
        """The payload. Raises IntegrityError unless it has this type and is signed by one of these public keys.

        The key id is then the public key itself.
        """
        signers = {name for name, _ in self.signatures}
        if not signers <= set(publics):
            raise IntegrityError(f"{what}: signed by a key that is none of the {len(publics)} that may sign it")
        return self.check(kind, min(signers, default=""), what)
