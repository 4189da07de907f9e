"""A server from its start to its end, and the thread that follows what the workspace releases and takes back."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from tribute.contributions.registry import Registry
from tribute.errors import ServiceError
from tribute.pipeline.runs.runs import all_runs
from tribute.server.app import create_app
from tribute.server.setup.setup import Services, open_services
from tribute.workspace import Workspace

LOOKS = 10.0
"""Seconds between two looks at the workspace; so long a model may answer after rows of it were taken back."""


@dataclass(frozen=True)
class Listening:
    """Where a server listens, its usage store where that is not the workspace's own, and what writes its answers."""

    host: str
    port: int
    store: str | None = None
    upstream: str | None = None
    until_eof: bool = False
    """Whether the server ends with its standard input, which whoever started it holds open."""


def serve(workspace: Workspace, at: Listening, ready: Callable[[Services], None]) -> None:
    """Serve a workspace's models until interrupted; `ready` is called when they are loaded.

    Raises ServiceError 503 where another server has the store open.
    """
    # Others' loggers may log requests, the server's own does not: see app.py.
    logging.getLogger("tribute.server").setLevel(logging.INFO)
    with open_services(workspace, at.store, upstream=at.upstream) as services:
        services.refresh()
        ready(services)
        with following(services):
            config = uvicorn.Config(
                create_app(services), host=at.host, port=at.port, log_config=None, access_log=False, server_header=False
            )
            # uvicorn ends the calls in flight and then raises the signal again, which has to leave time to close.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            server = uvicorn.Server(config)
            if at.until_eof:
                threading.Thread(target=_end_at_eof, args=(server,), name="tribute-eof", daemon=True).start()
            server.run()


def _end_at_eof(server: uvicorn.Server) -> None:
    """End the server when nobody holds its standard input open any more, however the one who did has ended."""
    sys.stdin.buffer.read()
    server.should_exit = True


@contextmanager
def following(services: Services, seconds: float = LOOKS) -> Iterator[None]:
    """Refresh the catalogue in a thread whenever a run ended, a row was taken back or the champion changed."""
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(services, seconds, ended), name="tribute-follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(services: Services, seconds: float, ended: threading.Event) -> None:
    known = _state(services.workspace)
    while not ended.wait(seconds):
        try:
            now = _state(services.workspace)
            if now != known:
                services.refresh()
                for name, why in sorted(services.catalogue.refused.items()):
                    services.log.warning("not serving %s: %s", name, why)
                services.log.info("serving %s", ", ".join(sorted(services.catalogue.entries)) or "nothing")
                known = now
            services.meter.release_expired()
            services.meter.texts.forget_due()
        except Exception as error:
            # The workspace may be in the middle of a change; what was served is served on.
            status = error.status if isinstance(error, ServiceError) else ""
            services.log.warning("the workspace could not be followed: %s %s", type(error).__name__, status)


def _state(workspace: Workspace) -> Any:
    """What changes when there may be something else to serve."""
    database = workspace.mlflow / "mlflow.db"
    changed = database.stat().st_mtime_ns if database.exists() else 0
    return Registry.open(workspace).entries()[-1:], all_runs(workspace), changed
