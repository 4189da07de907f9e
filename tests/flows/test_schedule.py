"""Theorem: a deployment with a schedule gets runs, from a real server with the locked versions.

Everything else about a deployment works without the scheduler, and the server says what ails it only in its log: with
SQLAlchemy 2.1 every pass of the scheduler of Prefect 3.8 fails.
"""

import json
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

from tasks.limits import LIMITS

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A server with a home and a port of its own, and its log; a process beside the harness of the other tests."""
    tmp_path = tmp_path_factory.mktemp("server")
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
    """The answer to a request that has to succeed; a database that is busy (503) is asked again, as clients do."""
    for pause in (0, 1, 2, 4, 8, 16):
        time.sleep(pause)
        answer = client.post(path, json=content)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
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


@pytest.fixture(scope="module")
def deployed(server: tuple[httpx.Client, Path]) -> dict[str, dict[str, Any]]:
    """The deployments of prefect.yaml by name, after set-up was run twice."""
    client, _ = server
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    settings |= QUIET | {"PREFECT_API_URL": str(client.base_url).rstrip("/")}
    for command in (("flows.setup",), ("flows.setup",), ("prefect", "--no-prompt", "deploy", "--all")):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=STARTS
        )
        assert done.returncode == 0, done.stdout + done.stderr
    ours = [each for each in post(client, "/deployments/filter", {}) if "tribute" in each["tags"]]
    return {each["name"]: each for each in ours}


def test_deployments_as_the_server_has_them(deployed: dict[str, dict[str, Any]]):
    """Each has its name, a version from git, and no path of this machine; its form needs nothing filled in."""
    assert set(deployed) == {"pipeline", "finetune", "attribute", "pay-period", "release-check"}
    for deployment in deployed.values():
        assert deployment["version"]
        assert "checkout" not in deployment["version"]
        assert not deployment["parameter_openapi_schema"].get("required")
        assert str(ROOT) not in json.dumps(deployment)


def test_set_up_twice_is_set_up_once(deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]):
    """The limits that tasks ask for are there, and each automation once."""
    client, _ = server
    limits = {each["name"]: each["limit"] for each in post(client, "/v2/concurrency_limits/filter", {})}
    automations = [each["name"] for each in post(client, "/automations/filter", {})]

    assert {name: limits[name] for name in LIMITS} == LIMITS
    assert sorted(name for name in automations if name.startswith("tribute: ")) == [
        "tribute: mark a run whose process is gone",
        "tribute: start a crashed run again",
    ]
    assert any(name.startswith("attribute") for name in automations)


@pytest.mark.parametrize(
    ("name", "time"), [("release-check", "T02:00"), ("finetune", "T03:00"), ("pay-period", "T06:00")]
)
def test_our_schedules_create_runs(
    name: str, time: str, deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]
):
    """Every schedule that prefect.yaml ships makes runs at its hour."""
    client, log = server
    mine = {"flow_runs": {"deployment_id": {"any_": [deployed[name]["id"]]}}}

    runs = until(SCHEDULES, "scheduled run", log, lambda: post(client, "/flow_runs/filter", mine))

    assert {run["expected_start_time"][10:16] for run in runs} == {time}
