"""A paid call from request to receipt: what is asked, held, answered and settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tribute.services.accounts import Key
from tribute.services.receipts import ServedModel, Trace

LATER, AT_ONCE, NEVER = "later", "at_once", "never"
EXPLAIN = (LATER, AT_ONCE, NEVER)
"""When a payer lets an answer be explained: with others before the close, right after it was given, or not at all."""
Pair = tuple[Sequence[int], int | Sequence[int]]
"""The tokens of a question, and what was answered: the place of a label, or tokens."""


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
    parent: str | None = None
    """The receipt that the agent's call will have which this call is a part of; that call's hold pays for it."""


@dataclass(frozen=True)
class Hold:
    """A call that may be answered: at most `micro` will be charged, by price list `price_version`, until `expires`.

    `margin` (millionths) makes it an agent's call, within which others are held and settled.
    """

    id: str
    key: Key
    call: Call
    micro: int
    price_version: int
    expires: str
    fingerprint: str
    margin: int | None = None
    covered: int = 0
    """How many keys of the path, from the root on, the parent's hold reserves already; 0 without a parent."""

    @property
    def receipt(self) -> str:
        """The id that the call's receipt will have."""
        return self.id.replace("call", "receipt")

    @property
    def own_path(self) -> tuple[str, ...]:
        """The keys on which this hold itself reserves."""
        return self.key.path[self.covered :]

    @property
    def own_payer(self) -> str | None:
        """The payer whose money this hold itself reserves; None of a test key, and where the parent's hold does."""
        return None if self.key.test or self.covered else self.key.payer


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
    explain: str = LATER
    """When an addendum will say which contributors moved the answer: one of `EXPLAIN`."""
    pairs: Sequence[Pair] = ()
    """What it is explained by. An answer without them, such as an embedding, has no probability."""
    policy: str = ""
    """The version of the policy by which its price is divided."""


@dataclass(frozen=True)
class Settlement:
    """A settled call: what it cost, the complete stored answer, its signed receipt, and the salt of its hashes.

    An agent's call costs what the calls within it cost, and what the agent keeps.
    """

    receipt: str
    micro: int
    content: bytes
    complete: bool
    salt: bytes = field(repr=False)
    envelope: bytes = field(repr=False)
    """The receipt in its DSSE envelope."""
