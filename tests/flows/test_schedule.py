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
from tests.flows.real_server import ROOT, post, run, running_server, until

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
        "tribute: mark a run whose process is gone",
        "tribute: start a crashed run again",
    ]
    assert any(name.startswith("attribute") for name in automations)


@pytest.mark.parametrize(
    ("name", "time"),
    [("release-check", "T02:00"), ("finetune", "T03:00"), ("explain-usage", "T04:00"), ("pay-period", "T06:00")],
)
def test_our_schedules_create_runs(
    name: str, time: str, deployed: dict[str, dict[str, Any]], server: tuple[httpx.Client, Path]
):
    """Every schedule that prefect.yaml ships makes runs at its hour."""
    client, log = server
    mine = {"flow_runs": {"deployment_id": {"any_": [deployed[name]["id"]]}}}

    runs = until(SCHEDULES, "scheduled run", log, lambda: post(client, "/flow_runs/filter", mine))

    assert {each["expected_start_time"][10:16] for each in runs} == {time}


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


def _on_a_version(client: httpx.Client, deployment: str) -> list[dict[str, Any]]:
    runs = post(client, "/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})
    return [each for each in runs if each["parameters"].get("dataset")]
