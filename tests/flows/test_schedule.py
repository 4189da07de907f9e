"""Theorem: a deployment with a schedule gets runs, from a real server with the locked versions.

Everything else about a deployment works without the scheduler, and the server says what ails it only in its log: with
SQLAlchemy 2.1 every pass of the scheduler of Prefect 3.8 fails.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.limits import LIMITS
from tests.flows.real_server import ROOT, post, python, run, running_server, until

TOGETHER = """
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from tasks import limits, setup
limits.LIMITS = {"twice": 1}
automation = setup._start_again().model_copy(update={"name": "twice: an automation"})
together, clients = Barrier(2), setup.get_client

class Late:
    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        return getattr(self.client, name)

    def create_automation(self, automation):
        together.wait()
        self.client.create_automation(automation)
        together.wait()

@contextmanager
def client(**options):
    with clients(**options) as real:
        yield Late(real)

setup.get_client = client
def one(_):
    setup.create_missing([automation])
    limits.create_limits()
with ThreadPoolExecutor(2) as both:
    list(both.map(one, range(2)))
"""
"""Two set-ups in one process, which both look for an automation before either creates it."""
STUCK = """
from datetime import timedelta
from tasks.setup import create_missing, mark_stuck
create_missing([mark_stuck(timedelta(seconds=10)).model_copy(update={"name": "sooner"})])
"""
SCHEDULES = 90
"""Seconds to wait at most for a scheduled run; the scheduler took 5."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A server with a home and a port of its own, and its log."""
    with running_server(tmp_path_factory.mktemp("server")) as served:
        yield served


def test_a_schedule_creates_runs(server: tuple[httpx.Client, Path]):
    """The scheduler makes runs of a deployment with a cron schedule by itself."""
    client, log = server
    flow = post(client, "/flows/", {"name": "pipeline"})
    about = {"name": "nightly", "flow_id": flow["id"], "entrypoint": "flows.pipeline.pipeline"}
    schedules = [{"schedule": {"cron": "0 3 * * *", "timezone": "UTC"}, "active": True}]
    deployment = post(client, "/deployments/", about | {"schedules": schedules})

    mine = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
    runs = until(SCHEDULES, "scheduled run", log, lambda: post(client, "/flow_runs/filter", mine))

    for each in runs:
        assert (each["state_type"], each["auto_scheduled"]) == ("SCHEDULED", True)
        assert each["expected_start_time"][10:19] == "T03:00:00"


@pytest.fixture(scope="module")
def deployed(server: tuple[httpx.Client, Path]) -> dict[str, dict[str, Any]]:
    """The deployments of prefect.yaml by name, after set-up was run twice."""
    client, _ = server
    for command in (("flows.setup",), ("flows.setup",), ("prefect", "--no-prompt", "deploy", "--all")):
        done = run(client, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    ours = [each for each in post(client, "/deployments/filter", {}) if "tribute" in each["tags"]]
    return {each["name"]: each for each in ours}


def test_deployments_as_the_server_has_them(deployed: dict[str, dict[str, Any]]):
    """Each has its name, a version from git, and no path of this machine; its form needs nothing filled in."""
    assert set(deployed) == {"pipeline", "finetune", "attribute", "explain-usage", "pay-period", "release-check"}
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
        "tribute: mark a run that never began",
        "tribute: mark a run whose process is gone",
        "tribute: start a crashed run again",
    ]
    assert any(name.startswith("attribute") for name in automations)


def test_a_run_that_never_begins_is_marked(server: tuple[httpx.Client, Path]):
    """Its worker died while it was pending: after a while (here a shorter one) it counts as crashed."""
    client, log = server
    done = python(client, "-c", STUCK)
    assert done.returncode == 0, done.stderr
    flow = post(client, "/flows/", {"name": "finetune"})
    runs = [post(client, "/flow_runs/", {"flow_id": flow["id"], "tags": ["tribute"]})["id"] for _ in range(2)]
    for run_id, states in zip(runs, (("PENDING",), ("PENDING", "RUNNING")), strict=True):
        for state in states:
            named = {"type": state, "name": state.title()}
            post(client, f"/flow_runs/{run_id}/set_state", {"state": named, "force": True})

    until(SCHEDULES, "mark", log, lambda: _state(client, runs[0]) == "CRASHED")

    assert _state(client, runs[1]) == "RUNNING"


def test_two_set_ups_at_once_are_one(server: tuple[httpx.Client, Path]):
    """Two workers that boot together both find nothing, and both create: one of each name is left."""
    client, _ = server
    both = python(client, "-c", TOGETHER)
    assert both.returncode == 0, both.stdout + both.stderr

    names = [each["name"] for each in post(client, "/automations/filter", {}) if each["name"].startswith("twice: ")]
    assert names == ["twice: an automation"]


@pytest.mark.parametrize(
    ("name", "time"),
    [("release-check", "T02:00"), ("finetune", "T03:00"), ("explain-usage", "T04:00")],
)
def test_our_schedules_create_runs(
    name: str, time: str, deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]
):
    """Every schedule that prefect.yaml ships makes runs at its hour."""
    client, log = server
    mine = {"flow_runs": {"deployment_id": {"any_": [deployed[name]["id"]]}}}

    runs = until(SCHEDULES, "scheduled run", log, lambda: post(client, "/flow_runs/filter", mine))

    assert {each["expected_start_time"][10:16] for each in runs} == {time}


def test_a_month_that_is_explained_is_paid(deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]):
    """However late `explain-usage` ends: `pay-period` starts then, on its workspace, for the month that it sealed."""
    client, log = server
    order = {"parameters": {"workspace": "/srv/w", "month": "last"}, "state": {"type": "SCHEDULED"}}
    explained = post(client, f"/deployments/{deployed['explain-usage']['id']}/create_flow_run", order)["id"]
    assert client.patch(f"/flow_runs/{explained}", json={"name": "usage of 2026-09"}).is_success
    for state in ("RUNNING", "COMPLETED"):
        named = {"type": state, "name": state.title()}
        post(client, f"/flow_runs/{explained}/set_state", {"state": named, "force": True})

    mine = {"flow_runs": {"deployment_id": {"any_": [deployed["pay-period"]["id"]]}}}
    [paid] = until(SCHEDULES, "run of pay-period", log, lambda: post(client, "/flow_runs/filter", mine))

    assert {name: paid["parameters"][name] for name in ("workspace", "period")} == {
        "workspace": "/srv/w",
        "period": "2026-09",
    }


def test_an_unknown_parameter_is_refused(deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]):
    """Before a run exists; the answer names it."""
    client, _ = server

    done = run(client, "prefect", "deployment", "run", "release-check/release-check", "-p", "nope=1")

    assert done.returncode != 0
    assert "nope" in done.stdout + done.stderr


def test_a_release_starts_a_fine_tune(
    deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path], tiny: Path, tmp_path: Path
):
    """`tribute release` tells the server, and a run of `finetune` on the new version is scheduled; of others none."""
    client, log = server
    release = ("tribute", "release", "--config", str(tiny / "config.yaml"), "-w", str(tmp_path / "workspace"))
    for command in (("tribute", "init", release[-1]), release, (*release, "--set", "dataset.name=docs")):
        done = run(client, *command)
        assert done.returncode == 0, done.stderr

    runs = until(SCHEDULES, "run on the new version", log, lambda: _on_a_version(client, deployed["finetune"]["id"]))

    assert [each["parameters"]["dataset"] for each in runs] == ["docs@v1.0.0"]


def test_a_release_needs_no_server(tiny: Path, tmp_path: Path):
    """Where none answers the version is released all the same, and a line says that nobody was told."""
    with httpx.Client(base_url="http://127.0.0.1:9/api") as nowhere:
        assert run(nowhere, "tribute", "init", str(tmp_path / "workspace")).returncode == 0
        options = ("--config", str(tiny / "config.yaml"), "-w", str(tmp_path / "workspace"))
        done = run(nowhere, "tribute", "release", *options)

    assert done.returncode == 0
    assert "tiny@v1.0.0 is released, but no deployment was told: PREFECT_API_URL" in done.stderr


def _state(client: httpx.Client, run_id: str) -> str:
    return str(client.get(f"/flow_runs/{run_id}").json()["state"]["type"])


def _on_a_version(client: httpx.Client, deployment: str) -> list[dict[str, Any]]:
    runs = post(client, "/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})
    return [each for each in runs if each["parameters"].get("dataset")]
