"""Requests at a steady rate, whatever the answers take, and how long each took from when it was due."""

import asyncio
import time
from dataclasses import dataclass

CONNECTIONS = 32


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
    """Seconds that each of `count` requests took, sent at `rate` per second. Raises RuntimeError unless all are 200."""
    return asyncio.run(_steady(target, rate, count))


async def _steady(target: Target, rate: float, count: int) -> list[float]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", target.port))
    start = time.perf_counter() + 0.1

    async def one(number: int) -> float:
        due = start + number / rate
        await asyncio.sleep(due - time.perf_counter())
        reader, writer = await free.get()
        writer.write(target.request)
        await _answer(reader)
        free.put_nowait((reader, writer))
        return time.perf_counter() - due

    times = await asyncio.gather(*map(one, range(count)))
    while not free.empty():
        free.get_nowait()[1].close()
    return list(times)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
    content = await reader.readexactly(int(lengths[0].partition(":")[2]))
    if not head.startswith("HTTP/1.1 200"):
        raise RuntimeError(f"{head.splitlines()[0]}: {content[:200]!r}")
    return content
