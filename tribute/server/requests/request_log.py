"""A line in the log and a count for Prometheus, for every request.

The line has method, path of the endpoint, status and milliseconds, and as `extra` the same with the receipt's id. It
has no key, no text and no message of an error that may hold one.
"""

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tribute.server.requests.problems import Problem
from tribute.server.setup.setup import Services

RECEIPT = "Tribute-Receipt"
"""The answer's header with the receipt's id."""


class RequestLog:
    """The middleware around the application."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an unforeseen error is answered here, after it was logged by its type alone."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, receipt = time.monotonic(), 0, ""

        async def counted(message: Message) -> None:
            nonlocal status, receipt
            if message["type"] == "http.response.start":
                status, receipt = message["status"], Headers(raw=message["headers"]).get(RECEIPT, "")
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
            about = {"method": scope["method"], "path": route, "status": status, "ms": round(1000 * seconds, 1)}
            self._services.log.info("%s %s %s %s ms", *about.values(), extra=about | {"receipt": receipt})


def _place(error: BaseException) -> str:
    """File and line where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
