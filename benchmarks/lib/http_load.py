"""Requests at a steady rate, or as fast as answers come, and how long each took."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

CONNECTIONS = 32
BODY = b'{"model": "docs", "input": "why is it so"}'
"""What a stub server is asked."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ask = Callable[[], Awaitable[None]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Target:
    """A POST that is sent again and again."""

    port: int
    path: str
    secret: str
    body: bytes

    @property
    def request(self) -> bytes:
        """As HTTP/1.1."""
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.secret}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n".encode() + self.body


def steady(target: Target, rate: float, count: int) -> list[float]:
    """Seconds that each of `count` requests took from when it was due, sent at `rate` per second.

    Raises RuntimeError unless all are 200.
    """

    async def run(ask: Ask) -> list[float]:
        start = time.perf_counter() + 0.1

        async def one(number: int) -> float:
            due = start + number / rate
            await asyncio.sleep(due - time.perf_counter())
            await ask()
            return time.perf_counter() - due

        return list(await asyncio.gather(*map(one, range(count))))

    return asyncio.run(_connected([target], run))


def main() -> None:
    """Ask a stub server at a steady rate, and print the median in milliseconds: port, API key, rate and how often."""
    port, secret, rate, count = sys.argv[1:]
    print(median(steady(Target(int(port), "/classify", secret, BODY), float(rate), int(count))) * 1000)


def flooded(targets: list[Target], seconds: float) -> float:
    """Requests a second that a server answers when CONNECTIONS clients ask without a pause, the targets in turn."""

    async def run(ask: Ask) -> float:
        start, answered = time.perf_counter(), 0

        async def client() -> None:
            nonlocal answered
            while time.perf_counter() - start < seconds:
                await ask()
                answered += 1

        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
        return answered / (time.perf_counter() - start)

    return asyncio.run(_connected(targets, run))


async def _connected(targets: list[Target], run: Callable[[Ask], Awaitable[Result]]) -> Result:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", targets[0].port))
    asked = 0

    async def ask() -> None:
        nonlocal asked
        reader, writer = await free.get()
        writer.write(targets[asked % len(targets)].request)
        asked += 1
        await _answer(reader)
        free.put_nowait((reader, writer))

    result = await run(ask)
    while not free.empty():
        free.get_nowait()[1].close()
    return result


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
    content = await reader.readexactly(int(lengths[0].partition(":")[2]))
    if not head.startswith("HTTP/1.1 200"):
        raise RuntimeError(f"{head.splitlines()[0]}: {content[:200]!r}")
    return content
