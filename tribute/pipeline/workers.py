"""How a command works on several things at a time, in child processes or through Prefect's flows."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from tribute.config import RunConfig
from tribute.workspace import Workspace

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_each(work: Callable[[Item], Result], items: Iterable[Item], config: RunConfig) -> list[Result]:
    """Work on several items at a time, each in a child process; results in the order of `items`."""
    with ThreadPoolExecutor(config.execution.processes) as pool, ending_children():
        # A thread works in a copy of this context, so that who listens to its progress here hears it.
        futures = [pool.submit(copy_context().run, work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def ending_children() -> Iterator[None]:
    """End the trainings with the body, whatever ends it early; else its error would not be seen for minutes.

    An interrupt reaches only this process, and Prefect would wait for its tasks. The trainings resume when the
    command is run again.
    """

    def interrupt(*_: object) -> None:
        _end_children()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        _end_children()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def set_prefect_environment(workspace: Workspace) -> None:
    """Let Prefect start its local server in the workspace, unless the user has set up another."""
    defaults = {
        "PREFECT_HOME": str(workspace.prefect),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # An error reaches the user as Tribute's one line; the server keeps Prefect's own log of it.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()
