"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}` with the field's statuses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from tribute.errors import ServiceError

TYPES = {
    401: ("authentication_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", "model_not_allowed"),
    404: ("invalid_request_error", "not_found"),
    409: ("conflict_error", "idempotency_conflict"),
    410: ("invalid_request_error", "forgotten"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "too_many_calls"),
}
"""Status → type and code; further ones are an invalid request below 500, and the server's fault from there."""
WAIT = 1
"""Seconds after which a call that found no room may be tried again."""


class RequestError(ServiceError):
    """A request that cannot be answered. `param` names the field at fault, `code` says more than the status does."""

    def __init__(self, message: str, status: int = 400, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, status)
        self.param, self.code = param, code


@dataclass(frozen=True)
class PriceOfCall:
    """What a refused call would have cost at most; beside the error, so that an agent can ask for that much."""

    micro: int
    currency: str
    version: int


@dataclass(frozen=True)
class Problem:
    """What a client is told."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: ServiceError, **more: Any) -> "Problem":
        """The problem that an error of the services is."""
        return cls(error.status, str(error), getattr(error, "param", None), getattr(error, "code", None), more)

    def body(self) -> bytes:
        """As JSON."""
        kind, code = TYPES.get(self.status, ("server_error" if self.status >= 500 else "invalid_request_error", None))
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code or code, **self.more}
        return json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")

    def response(self) -> Response:
        """As an answer; a client that waits for a call in flight is told how long."""
        headers = {"Retry-After": str(WAIT)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(self.body(), self.status, headers, media_type="application/json")
