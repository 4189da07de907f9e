"""Theorem: a period is drafted by what a person approved, or not: a real server and worker, and a run that waits."""

from pathlib import Path
from typing import Any

import httpx

from tests.flows.real_server import post, run, running_server, until
from tests.flows.test_worker import worker
from tribute.strict import parse_json

MOST = 300
"""Seconds that a run may take to its question, or from there to its end, on a busy machine."""


def test_an_approval_is_of_what_was_shown(spare: Path, tiny: Path, tmp_path: Path):
    """Another pool while the run waits is asked about again, and only the second answer drafts it."""
    config = tmp_path / "config.yaml"
    text = (tiny / "config.yaml").read_text()
    config.write_text(text.replace("100.00", "41.00"))
    for name in ("base", "policy.yaml", "source"):
        (tmp_path / name).symlink_to(tiny / name)
    with running_server(tmp_path) as (client, log):
        for command in (("flows.setup",), ("prefect", "--no-prompt", "deploy", "-n", "pay-period")):
            done = run(client, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        [deployment] = post(client, "/deployments/filter", {"deployments": {"name": {"any_": ["pay-period"]}}})
        order = {"parameters": {"config_file": str(config), "period": "2026-11"}, "state": {"type": "SCHEDULED"}}
        flow = post(client, f"/deployments/{deployment['id']}/create_flow_run", order)["id"]
        with worker(client, spare):
            first = until(MOST, "question", log, lambda: _asked(client, flow, set()))
            config.write_text(text.replace("100.00", "42.00"))
            _approve(client, flow)
            second = until(MOST, "second question", log, lambda: _asked(client, flow, {first}))
            before = _paid(spare)
            _approve(client, flow)
            state = until(MOST, "end", log, lambda: _ended(client, flow))
        pages = {each["key"] for each in post(client, "/artifacts/filter", {}) if each["key"]}

    assert state["type"] == "COMPLETED", state
    assert "pay 41.00 EUR" in first
    assert "pay 42.00 EUR" in second
    assert "- policy `" in second
    assert (before, _paid(spare)) == ([10000], [4200])
    shown = {each for each in pages if each.startswith(("shares-", "draft-"))}
    assert len(shown) == 3  # the shares of both configs, and the draft of one
    assert sum(f"`{key}`" in first + second for key in shown) == 2


def _asked(client: httpx.Client, flow: str, before: set[str]) -> str:
    """The text of the form by which the run waits, once it is another one than before."""
    state = client.get(f"/flow_runs/{flow}").json()["state"]
    assert state["type"] not in ("FAILED", "CRASHED", "COMPLETED"), state
    if state["name"] != "Suspended":
        return ""
    key = state["state_details"]["run_input_keyset"]["description"]
    answer = client.get(f"/flow_runs/{flow}/input/{key}")
    text = str(parse_json(answer.text)) if answer.is_success else ""
    return "" if text in before else text


def _approve(client: httpx.Client, flow: str) -> None:
    answer = {"approved_by": "ada", "why": "the shares are right"}
    assert post(client, f"/flow_runs/{flow}/resume", {"run_input": answer})["status"] == "ACCEPT"


def _ended(client: httpx.Client, flow: str) -> dict[str, Any] | None:
    state = client.get(f"/flow_runs/{flow}").json()["state"]
    return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None


def _paid(workspace: Path) -> list[int]:
    """The pool of the draft in cents, as its manifest has it."""
    manifest = parse_json((workspace / "rewards" / "2026-11" / "manifest.json").read_text())
    return [int(pool["net_minor"]) for pool in manifest["identity"]["config"]["funding"]]
