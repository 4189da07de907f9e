"""The garbage collector out of the way: for work over millions of rows, none of which is part of a circle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Let the collector rest. It would look through all rows again and again, for half of such work's time.

    What is in no circle is freed as ever. Where two threads ask, the first to end starts it again for both.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
