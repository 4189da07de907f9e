"""The HTTP application: one function per endpoint, and what all have in common: keys, errors, log and metrics.

The log has a line per request: method, path of the endpoint, status, milliseconds. It has no key, no text and no
message of an error that may hold one.
"""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tribute.errors import ServiceError
from tribute.server import inference, reading
from tribute.server.agent_tools import create_tools, http_routes, in_process, running
from tribute.server.bodies import (
    Body,
    ChatBody,
    ClassifyBody,
    CompletionBody,
    EndBody,
    OpeningBody,
    QuoteBody,
    SearchBody,
    TextsBody,
    parse_body,
    read_bytes,
)
from tribute.server.calls import Caller, PaymentRequiredError, Work, answer_whole, hold, slot
from tribute.server.problems import Problem
from tribute.server.retrieving import prepared
from tribute.server.setup import Services
from tribute.server.streams import MEDIA_TYPE, AnswerStream, SettledStream, replayed
from tribute.services.accounts import Key
from tribute.services.catalogue import CatalogueEntry
from tribute.services.engines import LocalEngine
from tribute.services.meter import Opening, Settlement, end_call, open_call
from tribute.services.receipts import Trace
from tribute.version import __version__

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
Prepare = Callable[[LocalEngine, CatalogueEntry, Any], Work]


def create_app(services: Services) -> FastAPI:
    """The application over open services."""
    tools = create_tools(lambda: in_process(app))
    hidden: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(title="Tribute", version=__version__, lifespan=lambda _: running(tools), **hidden)
    _add_inference(app, services)
    _add_agents(app, services)
    _add_reading(app, services)
    app.router.routes.extend(http_routes(tools, lambda request: _check_key(services, request)))
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_middleware(_Accounted, services=services)
    return app


def _add_inference(app: FastAPI, services: Services) -> None:
    """The endpoints that answer and are paid."""

    def add(path: str, kind: type[Body], prepare: Prepare | None) -> None:
        async def endpoint(request: Request) -> Response:
            caller = await run_in_threadpool(_caller, services, request, path, await read_bytes(request))
            return await run_in_threadpool(_answer, services, caller, parse_body(kind, _body(caller)), prepare)

        app.add_api_route(path, endpoint, methods=["POST"], name=path)

    add("/classify", ClassifyBody, inference.classify)
    add("/v1/embeddings", TextsBody, inference.embed)
    add("/v1/completions", CompletionBody, inference.complete)
    add("/v1/chat/completions", ChatBody, inference.chat)
    add("/v1/search", SearchBody, None)


def _add_agents(app: FastAPI, services: Services) -> None:
    """The endpoints by which an agent opens its call and ends it."""

    async def open_(request: Request) -> Response:
        caller = await run_in_threadpool(_caller, services, request, "/v1/calls", await read_bytes(request))
        return await run_in_threadpool(_opened, services, caller, parse_body(OpeningBody, _body(caller)))

    async def end(request: Request) -> Response:
        receipt = request.path_params["receipt"]
        caller = await run_in_threadpool(_caller, services, request, "/v1/calls/end", await read_bytes(request))
        body = parse_body(EndBody, _body(caller))
        return _settled(
            await run_in_threadpool(end_call, services.meter, caller.key, receipt, body.answer.encode()), False
        )

    app.add_api_route("/v1/calls", open_, methods=["POST"], name="/v1/calls")
    app.add_api_route("/v1/calls/{receipt}/end", end, methods=["POST"], name="/v1/calls/end")


def _opened(services: Services, caller: Caller, body: OpeningBody) -> Response:
    """An agent's call that is open, or, where the request repeats one that ended, its answer."""
    opening = Opening(body.micro, caller.request, caller.idempotency_key, caller.trace, caller.parent)
    held = open_call(services.meter, caller.key, opening)
    if isinstance(held, Settlement):
        return _settled(held, False, is_repeated=True)
    opened = {"object": "agent.call", "id": held.receipt, "agent": caller.key.agent, "micro": held.micro}
    return reading.json_response({**opened, "margin": held.margin, "expires": held.expires})


def _add_reading(app: FastAPI, services: Services) -> None:
    """The endpoints that tell, and cost nothing; those with a key first."""

    def add(path: str, read: Callable[[Services, Key, Request], Any]) -> None:
        def endpoint(request: Request) -> Response:
            return reading.json_response(read(services, _key(services, request), request))

        app.add_api_route(path, endpoint, methods=["GET"], name=path)

    add("/v1/models", reading.models)
    add("/v1/models/{name:path}", reading.model)
    add("/v1/receipts/{receipt}", reading.receipt)
    add("/v1/receipts/{receipt}/credits", reading.credits)
    add("/v1/statements/{month}", reading.statement)
    add("/v1/usage", reading.usage_of_key)
    add("/v1/budget", reading.budget)

    async def quoted(request: Request) -> Response:
        caller = await run_in_threadpool(_caller, services, request, "/v1/quote", await read_bytes(request))
        body = parse_body(QuoteBody, _body(caller))
        return reading.json_response(await run_in_threadpool(reading.quote, services, caller.key, body))

    app.add_api_route("/v1/quote", quoted, methods=["POST"], name="/v1/quote")
    for path, tell in (
        ("/health", reading.health),
        ("/metrics", reading.metrics),
        ("/.well-known/jwks.json", reading.jwks),
    ):
        app.add_api_route(path, _public(services, tell), methods=["GET"], name=path)


def _public(services: Services, tell: Callable[[Services], Response]) -> Callable[[], Response]:
    return lambda: tell(services)


def _answer(services: Services, caller: Caller, body: Any, prepare: Prepare | None) -> Response:
    """Answer a paid request; a retry of one that was settled gets the same bytes, whatever is served by now."""
    wants_stream = bool(getattr(body, "stream", False))
    earlier = services.meter.earlier(caller.key, caller.idempotency_key, caller.request)
    if earlier is not None:
        return _settled(earlier, wants_stream, is_repeated=True)
    entry = services.catalogue.resolve(body.model)
    work = prepared(services, entry, body, caller.key.payer, prepare)
    if not wants_stream:
        with slot(services):
            return _settled(*_whole(services, caller, work))
    room = ExitStack()
    room.enter_context(slot(services))
    try:
        held = hold(services, caller, work)
        if isinstance(held, Settlement):
            room.close()
            return _settled(held, True, is_repeated=True)
        stream = AnswerStream(services, work, held, room.close)
        return SettledStream(stream, {"Tribute-Receipt": held.receipt, "Cache-Control": "no-store"})
    except BaseException:
        room.close()
        raise


def _whole(services: Services, caller: Caller, work: Work) -> tuple[Settlement, bool, bool]:
    settlement, is_repeated = answer_whole(services, caller, work)
    return settlement, False, is_repeated


def _settled(settlement: Settlement, is_stream: bool, is_repeated: bool = False) -> Response:
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
        return Response(replayed(settlement), headers=headers, media_type=MEDIA_TYPE)
    return Response(settlement.content, headers=headers, media_type="application/json")


def _caller(services: Services, request: Request, path: str, body: bytes) -> Caller:
    matched = TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    trace = Trace(matched[1], matched[2]) if matched else None
    name = request.headers.get("idempotency-key")
    parent = request.headers.get("tribute-parent")
    return Caller(_key(services, request), name, trace, f"POST {path}\n".encode() + body, parent)


def _body(caller: Caller) -> bytes:
    return caller.request.partition(b"\n")[2]


def _key(services: Services, request: Request) -> Key:
    """The key of `Authorization: Bearer …`. Raises ServiceError 401."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise ServiceError("no API key; send it as `Authorization: Bearer tribute_sk_…`", 401)
    return services.keys.recognise(secret.strip())


def _check_key(services: Services, request: Request) -> None:
    _key(services, request)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    if isinstance(error, PaymentRequiredError):
        return Problem.of(error, price=vars(error.price)).response()
    return Problem.of(error).response()


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "there is no such endpoint" if error.status_code == 404 else str(error.detail)
    return Problem(error.status_code, message).response()


class _Accounted:
    """A line in the log and a count for Prometheus, for every request."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception as error:
            # The message of an unforeseen error may hold a request's text: it is neither logged nor raised further.
            self._services.log.error("%s at %s", type(error).__name__, _place(error))
            if not status:
                await Problem(500, "the server failed; nothing was charged").response()(scope, receive, counted)
        finally:
            seconds = time.monotonic() - started
            route = getattr(scope.get("route"), "path", "other")
            self._services.metrics.requests.labels(route, status).inc()
            self._services.metrics.seconds.labels(route).observe(seconds)
            self._services.log.info("%s %s %s %.1f ms", scope["method"], route, status, 1000 * seconds)


def _place(error: BaseException) -> str:
    """File and line where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
