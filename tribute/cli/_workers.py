"""How a command works on several things at a time, in child processes, and ends them with itself."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from tribute.cli import TERMINATED
from tribute.finetuning.stopping import end_children

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_each(work: Callable[[Item], Result], items: Iterable[Item], processes: int) -> list[Result]:
    """Work on several items at a time, each in a child process; results in the order of `items`."""
    with ThreadPoolExecutor(processes) as pool, ending_children():
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

    An interrupt or SIGTERM reaches only this process, and Prefect would wait for its tasks. The trainings save their
    present step, and resume when the command is run again.
    """

    def interrupt(*_: object) -> None:
        end_children()
        raise KeyboardInterrupt

    def terminate(*_: object) -> None:
        end_children()
        sys.exit(TERMINATED)

    before = {
        asked: signal.signal(asked, handle)
        for asked, handle in ((signal.SIGINT, interrupt), (signal.SIGTERM, terminate))
    }
    try:
        yield
    except BaseException:
        end_children()
        raise
    finally:
        for asked, handle in before.items():
            signal.signal(asked, handle)
