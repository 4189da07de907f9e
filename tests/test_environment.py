"""Theorem: the shell says where things are, never what is computed; what cannot work is one line at once."""

import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from tasks.server import check_server
from tests.helpers.terminal import started
from tribute.cli._flows import running_flows
from tribute.cli._prefect import keep_loopback_off_proxies
from tribute.errors import WorkspaceError
from tribute.workspace import Workspace

LAUNCHED = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_USE_FSDP": "true",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "10.255.255.1",
    "MASTER_PORT": "29500",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "OMP_NUM_THREADS": "4",
}
WHERE = {"MLFLOW_TRACKING_URI": "sqlite:////nowhere.db", "CUDA_VISIBLE_DEVICES": "3", "HF_TOKEN": "secret"}
DEAD = "http://127.0.0.1:9/api"


def shell(**changes: str) -> dict[str, str]:
    """This process's environment without Prefect's settings and proxies, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    return kept | changes


@pytest.fixture
def untrained(finished: Path, tmp_path: Path) -> Path:
    """A workspace with a released version and nothing learned from it."""
    (tmp_path / "workspace").mkdir()
    for name in ("tribute.json", "registry", "remote"):
        subprocess.run(["cp", "-r", finished / name, tmp_path / "workspace" / name], check=True)
    return tmp_path / "workspace"


def test_a_launchers_shell_trains_the_same_adapters(untrained: Path, finished: Path, tiny: Path):
    """Precision, ranks and threads of the shell reach no training: the ids, and so the bytes, are the same."""
    process = started("finetune", tiny / "config.yaml", "-w", untrained, env=shell(**LAUNCHED))
    _, err = process.communicate(timeout=500)

    assert process.returncode == 0, err
    ids = [{made.id for made in Workspace.open(root).store.all("adapter")} for root in (untrained, finished)]
    assert ids[0] == ids[1]


def test_a_child_keeps_what_says_where(tmp_path: Path):
    """Addresses, devices and credentials reach the child, launchers' variables do not."""
    code = (
        "import os, tests.test_environment as own; from tribute.finetuning.children import run_child; "
        "names = run_child(own.names, title='work', timeout_seconds=100, progress=lambda done, total: None); "
        "print(sorted(names & {*own.LAUNCHED, *own.WHERE} - {'OMP_NUM_THREADS'}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=shell(**LAUNCHED, **WHERE), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(sorted(WHERE))


def names(progress: object) -> set[str]:
    """What a child's environment holds."""
    return set(os.environ)


@pytest.mark.parametrize(
    ("variables", "dotenv", "message"),
    [
        ({"PREFECT_API_URL": DEAD}, "", f"PREFECT_API_URL: no Prefect server answers at {DEAD}"),
        ({"PREFECT_API_URL": DEAD, "HTTP_PROXY": "http://127.0.0.1:9"}, "", "no Prefect server answers"),
        ({}, f"PREFECT_API_URL={DEAD}\n", "api.url (.env, profile): no Prefect server answers"),
        ({"PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}, "", "Prefect has no server: PREFECT_API_URL is not set"),
        ({"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}, "", "Prefect has no server"),
        ({}, "PREFECT_SERVER_EPHEMERAL_ENABLED=perhaps\n", "Prefect's settings cannot be read"),
        ({"PREFECT_API_URL": "nowhere"}, "", "nowhere"),
    ],
)
def test_a_prefect_that_cannot_work_is_one_line_at_once(
    variables: dict[str, str], dotenv: str, message: str, finished: Path, tiny: Path, tmp_path: Path
):
    """Before anything is trained, with what to do; a proxy does not make it take minutes."""
    (tmp_path / ".env").write_text(dotenv)
    arguments = ("run", tiny / "config.yaml", "-w", finished, "--set", "finetuning.epochs=9")
    begun = time.monotonic()

    process = started(*arguments, env=shell(PYTHONPATH=str(Path.cwd()), **variables), cwd=tmp_path)
    _, err = process.communicate(timeout=200)

    assert process.returncode == 2, err
    assert message in err
    assert err.count("\n") == 1, err
    assert time.monotonic() - begun < 60


class Page(BaseHTTPRequestHandler):
    """What Prefect's server answers where /api was left out: its page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_web_page_is_no_prefect_server():
    """An address without /api answers, too, and would fail in the middle of the run."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with temporary_settings({PREFECT_API_URL: url}), pytest.raises(WorkspaceError) as refused:
            check_server()
        server.shutdown()

    assert f"at {url} is a web page, not Prefect's API; give the address that ends in /api" in str(refused.value)


class Broken(Page):
    """What Prefect's server answers whose database is away."""

    def do_POST(self) -> None:
        self.send_response(500)
        self.end_headers()


def test_a_server_that_fails_in_mid_run_is_one_line():
    """With what to do; an error of another server stays what it is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        settings = {PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}
        with temporary_settings(settings):
            with pytest.raises(WorkspaceError) as told, running_flows(), get_client(sync_client=True) as client:
                client.read_flows()
            with pytest.raises(httpx.ConnectError), running_flows():
                httpx.get(DEAD, trust_env=False)
        server.shutdown()

    assert str(told.value).startswith(f"Prefect's server at {url} failed in mid-run (HTTP 500); look at its log")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "localhost,127.0.0.1,::1"),
        ("corp.example", "corp.example,localhost,127.0.0.1,::1"),
        ("127.0.0.1, x", "127.0.0.1,x,localhost,::1"),
    ],
)
def test_loopback_never_goes_through_a_proxy(before: str, after: str, monkeypatch: pytest.MonkeyPatch):
    """What the user excluded stays excluded."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before)

    keep_loopback_off_proxies()

    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (after, after)
