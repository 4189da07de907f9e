"""A Prefect server of a benchmark's own on a free port, and the memory of a process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 120.0
"""Seconds that a server has to start."""


@dataclass(frozen=True)
class Server:
    """A running server; `shell`: what a program needs to use it, `seconds`: how long it took to start."""

    url: str
    shell: dict[str, str]
    seconds: float

    @property
    def all(self) -> dict[str, str]:
        """The whole environment of a program that uses it."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | self.shell

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """The answer to a request that has to succeed."""
        answer = httpx.post(f"{self.url}{path}", json=content, timeout=60)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def serving(folder: Path, database: str) -> Iterator[Server]:
    """A server with its home in `folder`, and its records there or in a database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_HOME": str(folder)}
    own = quiet | ({"PREFECT_API_DATABASE_CONNECTION_URL": database} if database else {})
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() - started > PATIENCE:
                raise RuntimeError("Prefect's server did not start")
            time.sleep(0.2)
        shell = quiet | {"PREFECT_API_URL": url, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}
        yield Server(url, shell, time.monotonic() - started)
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def resident(pid: int) -> float:
    """A process's resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
