"""Where long work says how far it is. Silent until somebody listens; knows nothing of screens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all progress of this process to `listener` while the body runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def reporter(what: str) -> Callable[[int, int], None]:
    """A function (done, total) that reports on `what`."""

    def report(done: int, total: int) -> None:
        for listener in _listeners:
            listener(what, done, total)

    return report
