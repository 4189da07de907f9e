"""`tribute up` starts what a team's machine needs, starts again what dies, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest

from tests.helpers.terminal import started, tribute
from tribute.cli._services import Ports, commands, environment
from tribute.errors import WorkspaceError
from tribute.keys import make_key
from tribute.server.reports import create_app, reports_token
from tribute.workspace import Workspace

ROOT = Path(__file__).parents[1]
PATIENCE = 300
"""Seconds to wait at most; the reports were served after 2."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for the condition to hold."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, f"no {what} after {PATIENCE} s"
        time.sleep(0.2)


def answers(port: int, path: str = "/") -> bool:
    """Whether a page is served on the port."""
    try:
        with build_opener(ProxyHandler({}), HTTPCookieProcessor()).open(
            f"http://127.0.0.1:{port}{path}", timeout=5
        ) as answer:
            return answer.status == 200
    except OSError:
        return False


def processes(text: str) -> list[int]:
    """The ids of the processes whose command has this text, the newest last."""
    found = subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False)
    return [int(id_) for id_ in found.stdout.split()]


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    """A workspace with the key that a release makes."""
    workspace = Workspace.create(tmp_path / "workspace")
    make_key(workspace.keys / "registry.pem")
    return workspace


@pytest.fixture
def ports() -> Ports:
    """Ports on which nothing listens."""
    sockets = [socket.socket() for _ in range(4)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(*numbers)


def test_services_start_again_and_stop(tmp_path: Path, ports: Ports):
    """A killed service is served again within seconds; SIGTERM ends all of them and their children.

    The paid models are served as soon as there is a key to sign with, and nobody else is up on the workspace meanwhile.
    """
    home = Workspace.create(tmp_path / "workspace")
    pytest.importorskip("honcho", reason="the environment is older than requirements.lock")
    options = [f"--{name}-port={port}" for name, port in vars(ports).items()]
    process = started("up", "-w", home.root, *options, start_new_session=True)
    try:
        page = f"/?token={reports_token(home)}"
        until(lambda: answers(ports.reports, page), "page of reports")
        assert not answers(ports.reports)
        other = tribute("up", "-w", home.root)
        assert (other.code, f"`tribute up` is up on {home.root} already" in other.err) == (2, True)
        assert f"(process {process.pid})" in other.err
        serving = f"^{sys.executable} -m tribute serve .* {ports.service}"
        assert not processes(serving)
        make_key(home.keys / "registry.pem")
        until(lambda: processes(serving), "service after the first release")
        [served, *_] = reversed(processes(f"tribute.server.reports .* {ports.reports}"))
        os.kill(served, SIGKILL)
        until(
            lambda: served not in processes("tribute.server.reports") and answers(ports.reports, page),
            "second page of reports",
        )
    finally:
        process.send_signal(SIGTERM)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    for name, address in ports.addresses().items():
        assert f"{name}: {address}" in err
    assert "it starts again" in out
    until(lambda: not processes(str(home.root)), "end of all services")


def test_everything_listens_on_this_machine_alone(home: Workspace, ports: Ports):
    """No service is given another address than the loopback's."""
    lines = commands(home, ports, ROOT)

    assert set(lines) == {"prefect", "worker", "mlflow", "reports", "service"}
    assert list(lines)[-1] == "worker", "what is begun last ends first where `up` is killed"
    assert all("127.0.0.1" in lines[name] for name in ("prefect", "mlflow", "service"))
    assert not any("0.0.0.0" in line for line in lines.values())


def test_nothing_secret_is_in_a_command(home: Workspace, ports: Ports):
    """Every account of a machine can read commands; a database's password and the token are in the environment."""
    base = {"MLFLOW_BACKEND_STORE_URI": "postgresql+pg8000://tribute:s3cret@db/mlflow"}
    shell, lines = environment(base, home, ports, ROOT), commands(home, ports, ROOT)

    assert shell["MLFLOW_BACKEND_STORE_URI"] == base["MLFLOW_BACKEND_STORE_URI"]
    assert shell["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:{ports.mlflow}"
    assert "MLFLOW_TRACKING_URI" not in environment({}, home, ports, ROOT)
    for secret in ("s3cret", reports_token(home)):
        assert secret in "".join(shell.values())
        assert secret not in "".join(lines.values())
    assert (home.keys / "reports.token").stat().st_mode & 0o777 == 0o600


def test_reports_are_shown_to_those_with_the_token(home: Workspace):
    """Once by the address, then by the cookie; whoever has neither sees nothing, and nobody can write."""
    from starlette.testclient import TestClient

    home.reports.mkdir()
    (home.reports / "run.html").write_text("<p>a report</p>")
    app = create_app(home.reports, "t0ken")
    stranger, reader = TestClient(app), TestClient(app)

    listing = reader.get("/?token=t0ken")

    assert {stranger.get(path).status_code for path in ("/", "/run.html", "/?token=other", "/?token=")} == {403}
    assert listing.status_code == 200
    assert "/run.html" in listing.text
    assert "t0ken" not in str(listing.url)
    assert reader.get("/run.html").text == "<p>a report</p>"
    assert reader.get("/../tribute.json").status_code == 404
    assert reader.post("/run.html").status_code == 405


def test_an_empty_token_opens_nothing(home: Workspace):
    """It is refused in one line, and where one is served all the same, nobody is let in."""
    from starlette.testclient import TestClient

    (home.keys / "reports.token").touch()

    with pytest.raises(WorkspaceError, match=r"reports\.token is empty, expected the token"):
        reports_token(home)
    home.reports.mkdir()
    assert {TestClient(create_app(home.reports, "")).get(path).status_code for path in ("/", "/?token=")} == {403}


def test_services_know_each_other(home: Workspace, ports: Ports):
    """The worker's runs find server, workspace and the reports' address; the user's own settings stay."""
    shell = environment({"HF_TOKEN": "x", "PYTHONPATH": "/a"}, home, ports, ROOT)

    assert shell["HF_TOKEN"] == "x"
    assert shell["PYTHONPATH"] == f"{ROOT}:/a"
    assert shell["PREFECT_API_URL"] == f"http://127.0.0.1:{ports.prefect}/api"
    assert shell["TRIBUTE_WORKSPACE"] == str(home.root)
    assert shell["TRIBUTE_REPORTS_URL"] == f"http://127.0.0.1:{ports.reports}"
    assert shell["MLFLOW_ARTIFACTS_DESTINATION"] == str(home.mlflow / "artifacts"), "nothing is kept in the checkout"


def test_a_taken_port_is_named(home: Workspace):
    """The option that takes another port is in the line, and nothing was started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(WorkspaceError, match=f"port {port} is taken; choose another one with --mlflow-port"):
            Ports(1, port, 2, 3).refuse_taken()


def test_ports_that_cannot_be(tmp_path: Path):
    """One port for two services, and a number that is no port, are one line each."""
    with pytest.raises(WorkspaceError, match="port 7 is given to two services; choose another one with --mlflow-port"):
        Ports(1, 7, 2, 7).refuse_taken()
    ended = tribute("up", "-w", tmp_path, "--reports-port", "70000")
    assert (ended.code, "--reports-port" in ended.err, "Traceback" in ended.err) == (2, True, False)


def test_a_wheel_cannot_deploy(home: Workspace, tmp_path: Path):
    """Without a checkout there is nothing to deploy; no workspace is one line as everywhere."""
    with pytest.raises(WorkspaceError, match="needs a checkout"):
        commands(home, Ports(1, 2, 3, 4), tmp_path)
    assert tribute("up", "-w", tmp_path / "nowhere").code == 2
