"""Where long work says how far it is. Silent until somebody listens; knows nothing of screens.

Who listens is part of the context (`contextvars`), as a request is in a server: two flows in one process do not mix
their progress. A thread that is to report runs in a copy of the context of who started it.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""
Listener = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def both(first: Progress, second: Progress) -> Progress:
    """Progress that two look at."""

    def report(done: int, total: int) -> None:
        first(done, total)
        second(done, total)

    return report


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of all that the body starts to `listener`, beside who listens already."""
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


@contextmanager
def timed(parts: Mapping[str, str], rest: str) -> Iterator[dict[str, float]]:
    """The seconds of each part of the body, in the order of `parts`, there when the body has ended.

    `parts` says which part a report belongs to, by what it says before a comma or colon. A part lasts from the end of
    the part before to its own last report; the first begins with the first report of all, what was before is the
    "start". After the last part comes the `rest`. So the seconds sum to the whole; parts that reported nothing, and
    the start where nothing was reported at all, are left out.
    """
    began, ends, seconds = time.monotonic(), dict[str, float](), dict[str, float]()

    def note(what: str, done: int, total: int) -> None:
        ends.setdefault("start", time.monotonic())
        if part := parts.get(re.split("[,:]", what)[0]):
            ends[part] = time.monotonic()

    with listening(note):
        yield seconds
    ends[rest] = time.monotonic()
    for part in ("start", *dict.fromkeys(parts.values()), rest):
        if part in ends:
            seconds[part], began = round(ends[part] - began, 1), ends[part]


def reporter(what: str) -> Progress:
    """A function (done, total) that reports on `what` to those who listen here and now, from whatever thread."""
    listeners = _LISTENERS.get()

    def report(done: int, total: int) -> None:
        for listener in listeners:
            listener(what, done, total)

    return report
