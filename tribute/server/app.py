"""The HTTP application: one function per endpoint, and what all have in common: keys, errors, log."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tribute.errors import ServiceError
from tribute.server.agent_tools import create_tools, http_routes, in_process, running
from tribute.server.calls import inference
from tribute.server.calls.calls import PaymentRequiredError, Work, answer_whole, hold, slot
from tribute.server.calls.delegation import add_delegation
from tribute.server.calls.retrieving import prepared
from tribute.server.calls.streams import AnswerStream, SettledStream, settled
from tribute.server.reading import reading
from tribute.server.requests.bodies import (
    Body,
    ChatBody,
    ClassifyBody,
    CompletionBody,
    SearchBody,
    TextsBody,
    parse_body,
    read_bytes,
)
from tribute.server.requests.callers import Caller, caller_of, key_of
from tribute.server.requests.problems import Problem
from tribute.server.requests.request_log import RequestLog
from tribute.server.setup.setup import Services
from tribute.services.accounts import Key
from tribute.services.catalogue import CatalogueEntry
from tribute.services.engines import LocalEngine
from tribute.services.meter import Settlement
from tribute.version import __version__

Prepare = Callable[[LocalEngine, CatalogueEntry, Any], Work]


def create_app(services: Services) -> FastAPI:
    """The application over open services."""
    tools = create_tools(lambda: in_process(app))
    hidden: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(title="Tribute", version=__version__, lifespan=lambda _: running(tools), **hidden)
    _add_inference(app, services)
    add_delegation(app, services)
    _add_reading(app, services)
    app.router.routes.extend(http_routes(tools, lambda request: key_of(services, request)))
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_middleware(RequestLog, services=services)
    return app


def _add_inference(app: FastAPI, services: Services) -> None:
    """The endpoints that answer and are paid."""

    def add(path: str, kind: type[Body], prepare: Prepare | None) -> None:
        def answered(request: Request, content: bytes) -> Response:
            caller = caller_of(services, request, path, content)
            return _answer(services, caller, parse_body(kind, content), prepare)

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(answered, request, await read_bytes(request))

        app.add_api_route(path, endpoint, methods=["POST"], name=path)

    add("/classify", ClassifyBody, inference.classify)
    add("/v1/embeddings", TextsBody, inference.embed)
    add("/v1/completions", CompletionBody, inference.complete)
    add("/v1/chat/completions", ChatBody, inference.chat)
    add("/v1/search", SearchBody, None)


def _add_reading(app: FastAPI, services: Services) -> None:
    """The endpoints that tell, and cost nothing; those with a key first."""

    def add(path: str, read: Callable[[Services, Key, Request], Any]) -> None:
        def endpoint(request: Request) -> Response:
            answer = read(services, key_of(services, request), request)
            return answer if isinstance(answer, Response) else reading.json_response(answer)

        app.add_api_route(path, endpoint, methods=["GET"], name=path)

    add("/v1/models", reading.models)
    add("/v1/models/{name:path}", reading.model)
    add("/v1/receipts/{receipt}", reading.receipt)
    add("/v1/receipts/{receipt}/credits", reading.credits)
    add("/v1/statements/{month}", reading.statement)
    add("/v1/receipts/{receipt}/proof", reading.proof)
    add("/v1/usage", reading.usage_of_key)
    add("/v1/budget", reading.budget)
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
        return settled(earlier, wants_stream, is_repeated=True)
    entry = services.catalogue.resolve(body.model)
    work = prepared(services, entry, body, caller.key, prepare)
    if not wants_stream:
        with slot(services):
            return settled(*_whole(services, caller, work))
    room = ExitStack()
    room.enter_context(slot(services))
    try:
        held = hold(services, caller, work)
        if isinstance(held, Settlement):
            room.close()
            return settled(held, True, is_repeated=True)
        stream = AnswerStream(services, work, held, room.close)
        return SettledStream(stream, {"Tribute-Receipt": held.receipt, "Cache-Control": "no-store"})
    except BaseException:
        room.close()
        raise


def _whole(services: Services, caller: Caller, work: Work) -> tuple[Settlement, bool, bool]:
    settlement, is_repeated = answer_whole(services, caller, work)
    return settlement, False, is_repeated


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    if isinstance(error, PaymentRequiredError):
        return Problem.of(error, price=vars(error.price)).response()
    return Problem.of(error).response()


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "there is no such endpoint" if error.status_code == 404 else str(error.detail)
    return Problem(error.status_code, message).response()
