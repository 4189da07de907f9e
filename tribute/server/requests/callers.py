"""Who calls: the key of a request, and the call's name, trace and parent from its headers."""

import re
from dataclasses import dataclass

from starlette.requests import Request

from tribute.errors import ServiceError
from tribute.server.setup.setup import Services
from tribute.services.accounts import Key
from tribute.services.receipts import Trace

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True)
class Caller:
    """Who calls, and how the call is named."""

    key: Key
    idempotency_key: str | None
    trace: Trace | None
    request: bytes
    parent: str | None = None
    """The agent's call that this one is a part of."""

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return self.request.partition(b"\n")[2]


def key_of(services: Services, request: Request) -> Key:
    """The key of `Authorization: Bearer …`. Raises ServiceError 401."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise ServiceError("no API key; send it as `Authorization: Bearer tribute_sk_…`", 401)
    return services.keys.recognise(secret.strip())


def caller_of(services: Services, request: Request, path: str, body: bytes) -> Caller:
    """Who calls, with the request as it is recorded. Raises ServiceError 401."""
    matched = TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    trace = Trace(matched[1], matched[2]) if matched else None
    name, parent = request.headers.get("idempotency-key"), request.headers.get("tribute-parent")
    return Caller(key_of(services, request), name, trace, f"POST {path}\n".encode() + body, parent)
