"""Theorem: a deployment with a schedule gets runs, from a real server with the locked versions.

Everything else about a deployment works without the scheduler, and the server says what ails it only in its log: with
SQLAlchemy 2.1 every pass of the scheduler of Prefect 3.8 fails.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import httpx
import pytest

STARTS, SCHEDULES, ENDS = 180, 90, 20
"""Seconds to wait at most; a server took 10 to start, its scheduler 5."""
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def until(seconds: float, what: str, log: Path, attempt: Callable[[], Any]) -> Any:
    """The first true answer; fails with the end of the server's log where none comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := attempt():
            return answer
        time.sleep(0.5)
    pytest.fail(f"no {what} after {seconds} s; the server's log ends:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """A server with a home and a port of its own, and its log; a process beside the harness of the other tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    log = tmp_path / "server.log"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port],
            cwd=tmp_path,
            env=settings | QUIET | {"PREFECT_HOME": str(tmp_path / "home")},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=30) as client:
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
    """The answer to a request that has to succeed."""
    answer = client.post(path, json=content)
    assert answer.is_success, answer.text
    return answer.json()


def test_a_schedule_creates_runs(server: tuple[httpx.Client, Path]):
    """The scheduler makes runs of a deployment with a cron schedule by itself."""
    client, log = server
    flow = post(client, "/flows/", {"name": "pipeline"})
    about = {"name": "nightly", "flow_id": flow["id"], "entrypoint": "flows.pipeline.pipeline"}
    schedules = [{"schedule": {"cron": "0 3 * * *", "timezone": "UTC"}, "active": True}]
    deployment = post(client, "/deployments/", about | {"schedules": schedules})

    mine = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
    runs = until(SCHEDULES, "scheduled run", log, lambda: post(client, "/flow_runs/filter", mine))

    for run in runs:
        assert (run["state_type"], run["auto_scheduled"]) == ("SCHEDULED", True)
        assert run["expected_start_time"][10:19] == "T03:00:00"
