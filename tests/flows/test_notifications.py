"""Theorem: what fails and what waits reaches people, through a real server and a webhook that really listens."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.real_server import post, run, running_server, until
from tribute.config import load_config
from tribute.workspace import Workspace

ARRIVES = 60
"""Seconds to wait at most for a message; one took 3."""
SETTLES = 5
"""Seconds in which a second one would arrive."""


TELL = """
import os
from pathlib import Path
from types import SimpleNamespace
from tasks.notifications import tell_of_draft
from tribute.config import load_config
from tribute.workspace import Workspace
found = SimpleNamespace(found=True, id="0" * 64)
for _ in range(2):
    tell_of_draft(Workspace.open_at(os.environ["WORKSPACE"]), load_config(Path(os.environ["CONFIG"])), found)
"""


class Hook(ThreadingHTTPServer):
    """A webhook, and the titles and texts that it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.heard: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        """As Apprise writes a webhook that takes JSON."""
        return f"json://user:s3cret@127.0.0.1:{self.server_port}/hook"


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    """A webhook on a port of its own."""
    with Hook() as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[tuple[httpx.Client, Path]]:
    """A server that was set up twice with the webhook's address."""
    with running_server(tmp_path_factory.mktemp("server")) as (client, log):
        for _ in range(2):
            done = run(client, "flows.setup", TRIBUTE_NOTIFY=hook.address)
            assert done.returncode == 0, done.stderr
        yield client, log


def _flow_run(client: httpx.Client, tags: list[str], state: str) -> None:
    flow = post(client, "/flows/", {"name": "pay-period"})
    run_ = post(client, "/flow_runs/", {"flow_id": flow["id"], "name": f"pay {state}", "tags": tags})
    for type_, name in (("RUNNING", "Running"), ("PAUSED" if state == "Suspended" else state.upper(), state)):
        post(client, f"/flow_runs/{run_['id']}/set_state", {"state": {"type": type_, "name": name}, "force": True})


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("Failed", "pay Failed (pay-period): Failed"),
        ("Crashed", "pay Crashed (pay-period): Crashed"),
        ("Suspended", "pay Suspended (pay-period) waits for a person"),
    ],
)
def test_a_run_that_needs_a_person_is_told_of_once(
    state: str, title: str, server: tuple[httpx.Client, Path], hook: Hook
):
    """Of Tribute's runs one message each; of other people's runs on the same server none."""
    client, log = server
    _flow_run(client, ["other"], state)
    _flow_run(client, ["tribute"], state)

    until(ARRIVES, "message", log, lambda: [message for message in hook.heard if message["title"] == title])

    assert [message["title"] for message in hook.heard].count(title) == 1


def test_failed_checks_are_told_of(server: tuple[httpx.Client, Path], hook: Hook, tiny: Path, tmp_path: Path):
    """Once, also by a run that finds the draft: it may have been killed before. The message has found and needed."""
    client, log = server
    config = load_config(tiny / "config.yaml")
    home, period = Workspace.create(tmp_path / "workspace"), config.rewards.period
    draft = home.rewards / period
    draft.mkdir(parents=True)
    checks = [
        {"name": "leave-one-out rank", "found": "0.8", "needed": "0.9 or more", "passed": False},
        {"name": "two halves of the seeds", "found": "0.1", "needed": "0.3 or less", "passed": True},
    ]
    (draft / "gate.json").write_text(json.dumps({"checks": checks, "passed": False, "rule": "tokens"}))
    done = run(client, "timeit", "-n1", "-r1", TELL, WORKSPACE=str(home.root), CONFIG=str(tiny / "config.yaml"))
    assert done.returncode == 0, done.stderr

    [message] = until(
        ARRIVES, "message", log, lambda: [each for each in hook.heard if each["title"].startswith("period ")]
    )

    time.sleep(SETTLES)
    assert [each["title"].startswith("period ") for each in hook.heard].count(True) == 1
    assert message["title"] == f"period {period}: checks of the attribution card failed"
    assert message["message"] == "leave-one-out rank: found 0.8, needed 0.9 or more"


def test_an_address_that_nobody_answers_is_refused(server: tuple[httpx.Client, Path]):
    """One line that shows the kind of address, and no secret in it."""
    client, _ = server

    done = run(client, "flows.setup", TRIBUTE_NOTIFY="carrier-pigeon://user:s3cret@loft")

    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("TRIBUTE_NOTIFY: found an address (carrier-pigeon://…)")
    assert "s3cret" not in done.stdout + done.stderr
