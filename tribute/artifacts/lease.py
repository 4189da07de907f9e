"""A lock in a bucket: one machine at a time makes an artifact, and a machine that died does not hold it for ever.

A holder creates the object `<place>/<number>` with the next number, where only one can succeed, and changes it every
few seconds. Whoever waits takes the next number once the last object says that it is free, or has not changed for
`LEASE` seconds by the waiter's own clock: no two machines' clocks are compared.

The lock saves work, no more. Which artifact stands is decided when its manifest is created (remote.py).
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tribute.artifacts.bucket import Bucket
from tribute.errors import StorageError

LEASE = 120.0
"""Seconds without a change after which a holder counts as dead."""
BEAT = 20.0
"""Seconds between two changes."""
POLL = 2.0
FREE = b"free"


@contextmanager
def leased(bucket: Bucket, place: str) -> Iterator[None]:
    """Hold the lock at `place` while the body runs."""
    mine = f"{place}/{_acquired(bucket, place):09d}"
    ended = threading.Event()
    beats = threading.Thread(target=_beat, args=(bucket, mine, ended), daemon=True)
    beats.start()
    try:
        yield
    finally:
        ended.set()
        beats.join()
        bucket.write(mine, FREE)


def clear(bucket: Bucket, place: str) -> None:
    """Remove what is left of a lock that nobody needs any more."""
    bucket.remove(*bucket.names(f"{place}/"))


def _acquired(bucket: Bucket, place: str) -> int:
    seen, since = b"", time.monotonic()
    while True:
        last = _last(bucket, place)
        content = (bucket.read(f"{place}/{last:09d}") or FREE) if last else FREE
        if content != seen:
            seen, since = content, time.monotonic()
        if (content == FREE or time.monotonic() - since > LEASE) and _took(bucket, place, last + 1):
            return last + 1
        time.sleep(POLL)


def _took(bucket: Bucket, place: str, number: int) -> bool:
    """Whether this number is ours and still the last: where a lock was cleared meanwhile, an old number is free."""
    name = f"{place}/{number:09d}"
    if not bucket.create(name, _content(0)):
        return False
    if _last(bucket, place) == number:
        return True
    bucket.remove(name)
    return False


def _last(bucket: Bucket, place: str) -> int:
    return max((int(name.rpartition("/")[2]) for name in bucket.names(f"{place}/")), default=0)


def _beat(bucket: Bucket, mine: str, ended: threading.Event) -> None:
    count = 0
    while not ended.wait(BEAT):
        count += 1
        try:
            bucket.write(mine, _content(count))
        except StorageError:
            # A bucket that is away for a moment: others wait for LEASE, which has room for several beats.
            continue


def _content(count: int) -> bytes:
    return f"{socket.gethostname()} {os.getpid()} {time.time_ns()} {count}".encode()
