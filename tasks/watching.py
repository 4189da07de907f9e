"""What Prefect's page shows while a task works: log lines, and a progress artifact for a training."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from threading import Thread
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_run_logger

from tribute.progress import listening

EACH = 10
"""Percent between two lines."""
SECONDS = 2.0
"""Least time between two updates of a progress artifact."""
WAIT = 5.0
"""Seconds that the end of a training waits for the server, once for the update under way and once for the last."""


def log(line: str) -> None:
    """A line in the log of the task or flow that runs here."""
    get_run_logger().info(line)


class _Lines:
    """Logs each tenth of what is done."""

    def __init__(self) -> None:
        self._logger = get_run_logger()
        self._logged: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        percent = _percent(done, total)
        if percent // EACH > self._logged.get(what, -1):
            self._logged[what] = percent // EACH
            self._logger.info("%s: %d of %d (%d %%)", what, done, total, percent)


class _Artifact:
    """A progress artifact, moved at most every two seconds, beside the training: Prefect's client asks a server that is
    away again for minutes, and the training goes on meanwhile.
    """

    def __init__(self, create: Callable[[], UUID]) -> None:
        """`create` makes the artifact, once there is progress: a training that is found shows none."""
        self._logger, self._create = get_run_logger(), create
        self._artifact: UUID | None = None
        self._moving: Thread | None = None
        self._next = 0.0
        self._percent: int | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        self._percent = _percent(done, total)
        if time.monotonic() >= self._next and not self._is_moving():
            self._next = time.monotonic() + SECONDS
            self._start(self._percent)

    def end(self) -> None:
        """Show the last of it, unless the server is away."""
        if self._moving is None or self._percent is None:
            return
        self._moving.join(WAIT)
        if not self._is_moving():
            self._start(self._percent).join(WAIT)

    def _is_moving(self) -> bool:
        return self._moving is not None and self._moving.is_alive()

    def _start(self, percent: int) -> Thread:
        # The artifact belongs to the run of this context.
        self._moving = Thread(target=copy_context().run, args=(self._move, percent), daemon=True)
        self._moving.start()
        return self._moving

    def _move(self, percent: int) -> None:
        try:
            self._artifact = self._artifact or self._create()
            update_progress_artifact(self._artifact, progress=percent)
        except Exception as error:
            # A server that is away for a while must not end a training, whatever its client raises.
            self._logger.warning("the progress cannot be shown: %s", error)


def _percent(done: int, total: int) -> int:
    return 100 * done // max(total, 1)


@contextmanager
def watched() -> Iterator[None]:
    """Log what the body reports of its progress; a task's body that is called by itself has no log."""
    with listening(_Lines()) if FlowRunContext.get() or TaskRunContext.get() else nullcontext():
        yield


@contextmanager
def watched_training(key: str, title: str) -> Iterator[None]:
    """Log the progress of a training, and show it as the progress artifact `key` as soon as there is any."""
    artifact = _Artifact(partial(create_progress_artifact, 0.0, key, title))
    with watched(), listening(artifact):
        yield
        artifact.end()
