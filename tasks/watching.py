"""What Prefect's page shows while a task works: log lines, and a progress artifact for a training."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from tribute.progress import listening

EACH = 10
"""Percent between two lines."""
SECONDS = 2.0
"""Least time between two updates of a progress artifact."""


def log(line: str) -> None:
    """A line in the log of the task or flow that runs here."""
    get_run_logger().info(line)


class _Watcher:
    """Logs each tenth of what is done; moves the artifact, if there is one, at most every two seconds."""

    def __init__(self, create: Callable[[], UUID] | None) -> None:
        """`create` makes the artifact, once there is progress: a training that is found shows none."""
        self._logger, self._create = get_run_logger(), create
        self._artifact: UUID | None = None
        self._logged: dict[str, int] = {}
        self._updated = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent // EACH > self._logged.get(what, -1):
            self._logged[what] = percent // EACH
            self._logger.info("%s: %d of %d (%d %%)", what, done, total, percent)
        now = time.monotonic()
        if self._create is not None and (done == total or now - self._updated >= SECONDS):
            self._updated = now
            self._move(self._create, percent)

    def _move(self, create: Callable[[], UUID], percent: int) -> None:
        try:
            self._artifact = self._artifact or create()
            update_progress_artifact(self._artifact, progress=percent)
        except Exception as error:
            # A server that is away for a while must not end a training, whatever its client raises.
            self._logger.warning("the progress cannot be shown: %s", error)


@contextmanager
def watched() -> Iterator[None]:
    """Log what the body reports of its progress."""
    with listening(_Watcher(None)):
        yield


@contextmanager
def watched_training(key: str, title: str) -> Iterator[None]:
    """Log the progress of a training, and show it as the progress artifact `key` as soon as there is any."""
    with listening(_Watcher(partial(create_progress_artifact, 0.0, key, title))):
        yield
