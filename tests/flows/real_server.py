"""A Prefect server in a process of its own, as a user starts it, and requests to it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
STARTS, ENDS = 180, 20
"""Seconds to wait at most; a server took 10 to start."""
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def until(seconds: float, what: str, log: Path, attempt: Callable[[], Any]) -> Any:
    """The first true answer; fails with the end of the server's log where none comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := attempt():
            return answer
        time.sleep(0.5)
    pytest.fail(f"no {what} after {seconds} s; the server's log ends:\n{log.read_text(errors='replace')[-4000:]}")


@contextmanager
def running_server(tmp_path: Path, **variables: str) -> Iterator[tuple[httpx.Client, Path]]:
    """A server with a home and a port of its own, and its log; a process beside the harness of the other tests."""
    settings = QUIET | {"PREFECT_HOME": str(tmp_path / "home")} | variables
    with running_service(tmp_path / "server.log", ("prefect", "server", "start"), "/api", settings) as served:
        yield served


@contextmanager
def running_service(
    log: Path, command: tuple[str, ...], path: str, settings: Mapping[str, str]
) -> Iterator[tuple[httpx.Client, Path]]:
    """`python -m command` on a free port, until it answers to `path`/health; requests to `path`, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", port],
            cwd=log.parent,
            env={**shell, **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}{path}", timeout=30) as client:
            until(STARTS, "healthy server", log, lambda: process.poll() is not None or healthy(client))
            assert process.poll() is None, log.read_text(errors="replace")[-4000:]
            yield client, log
    finally:
        for signal in (SIGTERM, SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, signal)
            try:
                process.wait(ENDS)
            except subprocess.TimeoutExpired:
                continue
            break


def healthy(client: httpx.Client) -> bool:
    """Whether the server answers."""
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def post(client: httpx.Client, path: str, content: dict[str, Any]) -> Any:
    """The answer to a request that has to succeed; a database that is busy (503) is asked again, as clients do."""
    for pause in (0, 1, 2, 4, 8, 16):
        time.sleep(pause)
        answer = client.post(path, json=content)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    assert answer.is_success, answer.text
    return answer.json()


def run(client: httpx.Client, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m command` in the checkout, against this server."""
    return python(client, "-m", *command, **variables)


def python(client: httpx.Client, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python in the checkout, against this server."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    settings |= QUIET | {"PREFECT_API_URL": str(client.base_url).rstrip("/")} | variables
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=STARTS
    )
