"""Where long work says how far it is. Silent until somebody listens; knows nothing of screens.

Who listens is part of the context (`contextvars`), as a request is in a server: two flows in one process do not mix
their progress. A thread that is to report runs in a copy of the context of who started it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""
Listener = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of all that the body starts to `listener`, beside who listens already."""
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


def reporter(what: str) -> Progress:
    """A function (done, total) that reports on `what` to those who listen here and now, from whatever thread."""
    listeners = _LISTENERS.get()

    def report(done: int, total: int) -> None:
        for listener in listeners:
            listener(what, done, total)

    return report
