"""What a receipt says, field by field. Knows nothing of keys, signatures and tables.

A receipt is the RFC 8785 form of a JSON object without floats. It holds salted hashes in place of texts: who has the
salt and a text can prove that it was this one, and without the salt nobody can try texts.
"""

from dataclasses import dataclass
from hashlib import sha256

RECEIPT, ADDENDUM = "receipt", "addendum"
KINDS = {
    RECEIPT: "application/vnd.tribute.receipt.v1+json",
    ADDENDUM: "application/vnd.tribute.addendum.v1+json",
}
"""What a serving key signs → the payload type of its envelope."""


AS_CONFIGURED = "digest as configured"
"""In place of a card's verdict where nothing proves that the adapter of this digest answers: nobody is paid by it."""


@dataclass(frozen=True)
class ServedModel:
    """The model version that answered: its full name, sha256 of its artifact and of its base, its card's verdict."""

    name: str
    artifact: str
    base: str
    verdict: str


@dataclass(frozen=True)
class Trace:
    """The W3C trace and span ids that a call came with."""

    trace: str
    span: str


def salted(salt: bytes, content: bytes) -> str:
    """The hash that stands in a receipt for a request or an answer: sha256(salt ‖ content), 64 hex digits."""
    return sha256(salt + content).hexdigest()
