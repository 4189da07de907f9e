"""What a caller does around paid calls: sub-keys, quotes, and an agent's call from its opening to its end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tribute.errors import ServiceError
from tribute.server.calls.streams import settled
from tribute.server.reading import reading
from tribute.server.requests.bodies import (
    Body,
    EndBody,
    KeyBody,
    NoBody,
    OpeningBody,
    QuoteBody,
    parse_body,
    read_bytes,
)
from tribute.server.requests.callers import Caller, caller_of
from tribute.server.setup.setup import Services
from tribute.services.accounts import Limits
from tribute.services.meter import Opening, Settlement, end_call, open_call

Do = Callable[[Services, Caller, Any, Mapping[str, str]], Response]
"""(services, caller, body, parts of the path) → answer."""


def add_delegation(app: FastAPI, services: Services) -> None:
    """Add the endpoints."""

    def add(path: str, kind: type[Body], do: Do) -> None:
        async def endpoint(request: Request) -> Response:
            caller = await run_in_threadpool(caller_of, services, request, path, await read_bytes(request))
            body = parse_body(kind, caller.body)
            return await run_in_threadpool(do, services, caller, body, request.path_params)

        app.add_api_route(path, endpoint, methods=["POST"], name=path)

    add("/v1/keys", KeyBody, _narrow)
    add("/v1/keys/{key}/revoke", NoBody, _revoke)
    add("/v1/quote", QuoteBody, _quote)
    add("/v1/calls", OpeningBody, _open)
    add("/v1/calls/{receipt}/end", EndBody, _end)


def _quote(services: Services, caller: Caller, body: QuoteBody, _: Mapping[str, str]) -> Response:
    return reading.json_response(reading.quote(services, caller.key, body))


def _narrow(services: Services, caller: Caller, body: KeyBody, _: Mapping[str, str]) -> Response:
    """A sub-key of the caller's key, and its secret, which is shown this once."""
    parent, left = caller.key.limits, services.keys.remaining(caller.key)
    given = {name: value for name, value in body.model_dump().items() if value is not None and name != "agent"}
    if body.models is not None:
        given["models"] = tuple(body.models)
    limits = replace(Limits(left, min(left, parent.call_cap), parent.expires, parent.models), **given)
    secret, key = services.keys.narrow(caller.key, limits, agent=body.agent)
    shown = {"object": "key", "key": key.id, "secret": secret, "agent": key.agent, **vars(key.limits)}
    return reading.json_response(shown)


def _revoke(services: Services, caller: Caller, _: NoBody, parts: Mapping[str, str]) -> Response:
    """End a key below the caller's, or the caller's own. Raises ServiceError 404 for any other."""
    name = parts["key"]
    below = services.keys.find(name) if name.isprintable() else None
    if below is None or caller.key.id not in below.path:
        raise ServiceError(f"there is no key {name[:40]!r} below this one", 404)
    services.keys.revoke(name)
    return reading.json_response({"object": "key", "key": name, "revoked": True})


def _open(services: Services, caller: Caller, body: OpeningBody, _: Mapping[str, str]) -> Response:
    """An agent's call that is open, or, where the request repeats one that ended, its answer."""
    opening = Opening(body.micro, caller.request, caller.idempotency_key, caller.trace, caller.parent)
    held = open_call(services.meter, caller.key, opening)
    if isinstance(held, Settlement):
        return settled(held, False, is_repeated=True)
    opened = {"object": "agent.call", "id": held.receipt, "agent": caller.key.agent, "micro": held.micro}
    return reading.json_response({**opened, "margin": held.margin, "expires": held.expires})


def _end(services: Services, caller: Caller, body: EndBody, parts: Mapping[str, str]) -> Response:
    """The settled answer of an agent's call."""
    return settled(end_call(services.meter, caller.key, parts["receipt"], body.answer.encode()), False)
