"""A paid call from request to receipt: what is asked, held, answered and settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tribute.services.accounts import Key
from tribute.services.receipts import ServedModel, Trace


@dataclass(frozen=True)
class Call:
    """A request before it is answered."""

    model: ServedModel
    request: bytes
    """What was asked, as the caller can write it again; a retry is recognised by it."""
    input_tokens: int
    most_output_tokens: int
    idempotency_key: str | None = None
    """The caller's name for the call, unique for ever among the calls of its payer."""
    trace: Trace | None = None


@dataclass(frozen=True)
class Hold:
    """A call that may be answered: at most `micro` will be charged, by price list `price_version`, until `expires`."""

    id: str
    key: Key
    call: Call
    micro: int
    price_version: int
    expires: str
    fingerprint: str

    @property
    def receipt(self) -> str:
        """The id that the call's receipt will have."""
        return self.id.replace("call", "receipt")


@dataclass(frozen=True)
class Answer:
    """What was answered, or of a stream that broke, what was sent until then."""

    content: bytes
    input_tokens: int
    output_tokens: int
    complete: bool = True
    """False where the stream broke."""
    retrieved: Sequence[Mapping[str, Any]] = ()
    """The rows that were retrieved, and their credits as texts."""
    children: Sequence[str] = ()
    """The sha256 digests of the receipts of the calls that this call made."""
    explain: bool = True
    """Whether an addendum will say which contributors moved the answer; False where the payer forbids it."""
    policy: str = ""
    """The version of the policy by which its price is divided."""


@dataclass(frozen=True)
class Settlement:
    """A settled call: what it cost, the complete stored answer, its signed receipt, and the salt of its hashes."""

    receipt: str
    micro: int
    content: bytes
    complete: bool
    salt: bytes = field(repr=False)
    envelope: bytes = field(repr=False)
    """The receipt in its DSSE envelope."""
