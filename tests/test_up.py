"""`tribute up` starts what a team's machine needs, starts again what dies, and leaves nothing behind."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.helpers.terminal import started, tribute
from tribute.cli._services import Ports, commands, environment
from tribute.errors import WorkspaceError
from tribute.workspace import Workspace

ROOT = Path(__file__).parents[1]
PATIENCE = 120
"""Seconds to wait at most; the reports were served after 2."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for the condition to hold."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, f"no {what} after {PATIENCE} s"
        time.sleep(0.2)


def answers(port: int) -> bool:
    """Whether a page is served on the port."""
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def processes(text: str) -> list[int]:
    """The ids of the processes whose command has this text, the newest last."""
    found = subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False)
    return [int(id_) for id_ in found.stdout.split()]


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture
def ports() -> Ports:
    """Ports on which nothing listens."""
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(*numbers)


def test_services_start_again_and_stop(home: Workspace, ports: Ports):
    """A killed service is served again within seconds; SIGTERM ends all of them and their children."""
    pytest.importorskip("honcho", reason="the environment is older than requirements.lock")
    options = [f"--{name}-port={port}" for name, port in vars(ports).items()]
    process = started("up", "-w", home.root, *options, start_new_session=True)
    try:
        until(lambda: answers(ports.reports), "page of reports")
        server = processes(f"http.server {ports.reports}")[-1]
        os.kill(server, SIGKILL)
        until(lambda: server not in processes("http.server") and answers(ports.reports), "second page of reports")
    finally:
        process.send_signal(SIGTERM)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    for name, address in ports.addresses().items():
        assert f"{name}: {address}" in err
    assert "it starts again" in out
    until(lambda: not processes(str(home.root)), "end of all services")


def test_everything_listens_on_this_machine_alone(home: Workspace, ports: Ports):
    """No service is given another address than the loopback's."""
    lines = commands(home, ports, ROOT)

    assert list(lines) == ["prefect", "worker", "mlflow", "reports"]
    assert all("127.0.0.1" in lines[name] for name in ("prefect", "mlflow", "reports"))
    assert not any("0.0.0.0" in line for line in lines.values())


def test_services_know_each_other(home: Workspace, ports: Ports):
    """The worker's runs find server, workspace and the reports' address; the user's own settings stay."""
    shell = environment({"HF_TOKEN": "x", "PYTHONPATH": "/a"}, home, ports, ROOT)

    assert shell["HF_TOKEN"] == "x"
    assert shell["PYTHONPATH"] == f"{ROOT}:/a"
    assert shell["PREFECT_API_URL"] == f"http://127.0.0.1:{ports.prefect}/api"
    assert shell["TRIBUTE_WORKSPACE"] == str(home.root)
    assert shell["TRIBUTE_REPORTS_URL"] == f"http://127.0.0.1:{ports.reports}"


def test_a_taken_port_is_named(home: Workspace):
    """The option that takes another port is in the line, and nothing was started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(WorkspaceError, match=f"port {port} is taken; choose another one with --mlflow-port"):
            Ports(1, port, 2).refuse_taken()


def test_a_wheel_cannot_deploy(home: Workspace, tmp_path: Path):
    """Without a checkout there is nothing to deploy; no workspace is one line as everywhere."""
    with pytest.raises(WorkspaceError, match="needs a checkout"):
        commands(home, Ports(1, 2, 3), tmp_path)
    assert tribute("up", "-w", tmp_path / "nowhere").code == 2
