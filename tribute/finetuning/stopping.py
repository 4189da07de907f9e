"""What SIGTERM does to a process that trains: it ends at once, or, where it says so, after what it is just doing."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CHILD = "tribute-child"
"""The name of the processes that `children` starts."""


def end_children() -> None:
    """Send SIGTERM to all children of this process that train; others, as a service's, are not ours to end."""
    for child in multiprocessing.active_children():
        if child.name == CHILD:
            child.terminate()


class Stopped(BaseException):
    """Raised where the process was when SIGTERM came; no library takes it for an error of its own."""


def end_on_signal() -> None:
    """From now on SIGTERM raises Stopped in this process's main thread."""
    signal.signal(signal.SIGTERM, _end)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


@contextmanager
def postponing_the_end() -> Iterator[threading.Event]:
    """Within the body SIGTERM only sets this event: the body looks at it and ends when it has saved what it did."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # Python hands signals to the main thread alone
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
