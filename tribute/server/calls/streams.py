"""An answer as server-sent events. However a stream ends, what was sent is settled before the connection is closed."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tribute.errors import ServiceError
from tribute.server.calls.calls import Work, cost, settle
from tribute.server.calls.inference import usage_event
from tribute.server.requests.problems import Problem
from tribute.server.setup.setup import Services
from tribute.services.engines import Piece
from tribute.services.meter import Answer, Hold, Settlement

END = b"data: [DONE]\n\n"
MEDIA_TYPE = "text/event-stream"


class AnswerStream:
    """The events of one answer, and the account of what was sent."""

    def __init__(self, services: Services, work: Work, held: Hold, at_end: Callable[[], None]) -> None:
        """`at_end` is called once when the call is settled."""
        self._services, self._work, self._held, self._at_end = services, work, held, at_end
        self._sent, self._written, self._complete, self._finished = list[bytes](), 0, False, False
        self._ids = list[int]()

    async def events(self) -> AsyncIterator[bytes]:
        """The answer's pieces, and last what it cost if the client asked for that."""
        work, held = self._work, self._held
        assert work.pieces is not None
        assert work.chunk is not None
        try:
            pieces = work.pieces()
            while (piece := await run_in_threadpool(_next, pieces)) is not None:
                event = _event(work.chunk(work, held, piece))
                yield event
                # Only now is it on its way: a client that hung up before does not pay for it.
                self._sent.append(event)
                self._written += piece.tokens
                self._ids += piece.ids
            self._complete = True
            await run_in_threadpool(self.finish)
            if work.include_usage:
                paid = await run_in_threadpool(cost, self._services, held, work.input_tokens, self._written)
                yield _event(usage_event(work, held, self._written, paid))
        except Exception as error:
            known = isinstance(error, ServiceError)
            problem = Problem.of(error) if isinstance(error, ServiceError) else Problem(500, "the answer broke off")
            self._services.log.warning("stream of %s broke: %s", held.id, problem.message if known else type(error))
            yield b"data: " + problem.body() + b"\n\n"
        yield END

    def finish(self) -> None:
        """Charge what was sent, once; nothing sent is nothing charged."""
        if self._finished:
            return
        self._finished = True
        try:
            if self._sent:
                content, work = b"".join(self._sent), self._work
                pairs = [(work.question, self._ids)] if self._ids else []
                about: dict[str, Any] = {"retrieved": work.retrieved(), "explain": work.explain, "pairs": pairs}
                answer = Answer(content, work.input_tokens, self._written, self._complete, **about)
                settle(self._services, self._held, answer)
            else:
                self._services.meter.release(self._held)
        finally:
            self._at_end()


class SettledStream(StreamingResponse):
    """The response that sends an answer's events; it settles also where the client hung up, or never listened."""

    def __init__(self, stream: AnswerStream, headers: dict[str, str]) -> None:
        super().__init__(stream.events(), headers=headers, media_type=MEDIA_TYPE)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                events: Any = self.body_iterator
                await events.aclose()
                await run_in_threadpool(self._stream.finish)


def _next(pieces: Iterator[Piece]) -> Piece | None:
    return next(pieces, None)


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def settled(settlement: Settlement, is_stream: bool, is_repeated: bool = False) -> Response:
    """A settled answer with its receipt, its cost in 10⁻⁶ of the unit, and the salt of the receipt's hashes."""
    headers = {
        "Tribute-Receipt": settlement.receipt,
        "Tribute-Cost": str(settlement.micro),
        "Tribute-Salt": settlement.salt.hex(),
        "Cache-Control": "no-store",
    }
    if is_repeated:
        headers["Idempotent-Replayed"] = "true"
    if is_stream:
        return Response(settlement.content + END, headers=headers, media_type=MEDIA_TYPE)
    return Response(settlement.content, headers=headers, media_type="application/json")
