"""A paid call over HTTP: hold, answer, settle. What was sent is charged, what was not sent is not.

A call's request is recorded as `POST <path>`, a new line and the body's bytes; its answer as the bytes of the body
that was sent, of a stream without the closing event that says what it cost. So a client can check the hashes of its
receipt, and a retry gets the same bytes.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tribute.errors import ServiceError
from tribute.server.calls.at_once import explain_soon
from tribute.server.requests.callers import Caller
from tribute.server.requests.problems import PriceOfCall, RequestError
from tribute.server.setup.setup import MOST_CALLS, Services
from tribute.services.catalogue import CatalogueEntry
from tribute.services.engines import Piece, Tokens
from tribute.services.meter import AT_ONCE, LATER, NEVER, Answer, Call, Hold, Pair, Settlement
from tribute.services.receipts import AS_CONFIGURED

WAITS = (0.1, 0.4, 1.5)
"""Seconds after which a settlement is tried again whose store did not answer, as while PostgreSQL starts anew."""


@dataclass(frozen=True)
class Work:
    """A checked request: what it may cost at most, and how it is answered."""

    entry: CatalogueEntry
    input_tokens: int
    most_output_tokens: int
    created: int
    answer: "Callable[[Work, Hold], tuple[dict[str, Any], int, Sequence[Pair]]] | None" = None
    """(body without cost, tokens written, what explains it)."""
    pieces: Callable[[], Iterator[Piece]] | None = None
    chunk: "Callable[[Work, Hold, Piece], dict[str, Any]] | None" = None
    """A piece as the data of an event."""
    include_usage: bool = False
    """Whether the last event of a stream says what it used and cost."""
    question: Tokens = ()
    """The prompt of an answer that is written, as tokens."""
    explain: str = LATER
    """See `meter.EXPLAIN`."""
    credit: Callable[[], Sequence[Mapping[str, Any]]] | None = None
    """What was retrieved, with who of it moved the answer, once there is one: see Answer.retrieved."""

    def retrieved(self) -> Sequence[Mapping[str, Any]]:
        """What the receipt says of retrieved rows."""
        return () if self.credit is None else self.credit()


class PaymentRequiredError(ServiceError):
    """402, with the most that the call would have cost."""

    def __init__(self, error: ServiceError, price: PriceOfCall) -> None:
        super().__init__(str(error), error.status)
        self.price = price


@contextmanager
def slot(services: Services) -> Iterator[None]:
    """A place among the calls in flight. Raises RequestError 429 where all are taken."""
    if not services.slots.acquire(blocking=False):
        raise RequestError(f"{MOST_CALLS} calls are in flight; try again", 429)
    try:
        with services.metrics.in_flight.track_inprogress():
            yield
    finally:
        services.slots.release()


def hold(services: Services, caller: Caller, work: Work) -> Hold | Settlement:
    """See Meter.hold. Raises PaymentRequiredError in place of its 402."""
    call = Call(
        work.entry.model,
        caller.request,
        work.input_tokens,
        work.most_output_tokens,
        caller.idempotency_key,
        caller.trace,
        caller.parent,
    )
    try:
        return services.meter.hold(caller.key, call)
    except ServiceError as error:
        if error.status != 402:
            raise
        prices = services.prices.current()
        micro = prices.cost(work.entry.model.name, work.input_tokens, work.most_output_tokens)
        raise PaymentRequiredError(error, PriceOfCall(micro, prices.currency, prices.version)) from error


def settle(services: Services, held: Hold, answer: Answer) -> Settlement:
    """See Meter.settle; counted for Prometheus."""
    if held.call.model.verdict == AS_CONFIGURED:
        answer = replace(answer, explain=NEVER)
    settlement = _settled(services, held, answer)
    model, metrics = held.call.model.name, services.metrics
    metrics.calls.labels(model).inc()
    metrics.tokens.labels(model, "input").inc(answer.input_tokens)
    metrics.tokens.labels(model, "output").inc(answer.output_tokens)
    if answer.explain == AT_ONCE:
        explain_soon(services, held)
    metrics.micro.labels(model, services.prices.version(held.price_version).currency).inc(settlement.micro)
    return settlement


def _settled(services: Services, held: Hold, answer: Answer) -> Settlement:
    """Settle, also where the store is away for a moment: settling again is safe, and what was sent shall be charged."""
    for wait in WAITS:
        try:
            return services.meter.settle(held, answer)
        except ServiceError as error:
            if error.status != 503:
                raise
            time.sleep(wait)
    return services.meter.settle(held, answer)


def cost(services: Services, held: Hold, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """What a call costs, as `usage` says it: an integer of 10⁻⁶ of the currency's unit."""
    prices = services.prices.version(held.price_version)
    return {
        "cost": prices.cost(held.call.model.name, input_tokens, output_tokens),
        "currency": prices.currency,
        "receipt": held.receipt,
    }


def answer_whole(services: Services, caller: Caller, work: Work) -> tuple[Settlement, bool]:
    """Answer a request at once: the settlement, and whether it is an earlier call's."""
    assert work.answer is not None
    held = hold(services, caller, work)
    if isinstance(held, Settlement):
        return held, True
    try:
        body, written, pairs = work.answer(work, held)
        body["usage"] |= cost(services, held, work.input_tokens, written)
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        about: dict[str, Any] = {"retrieved": work.retrieved(), "explain": work.explain, "pairs": pairs}
        return settle(services, held, Answer(content, work.input_tokens, written, **about)), False
    except BaseException:
        services.meter.release(held)
        raise
