"""The processes that `tribute up` keeps running, as commands of a shell."""

import fcntl
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tribute.errors import WorkspaceError
from tribute.server.reports import TOKEN, reports_token
from tribute.workspace import Workspace

LOOPBACK = "127.0.0.1"
DATABASE = "MLFLOW_BACKEND_STORE_URI"
"""What names the database of MLflow's server, read by MLflow itself."""
FILES = "MLFLOW_ARTIFACTS_DESTINATION"
"""What names where MLflow's server keeps files; by default in the folder in which it is started."""
TRAP = "trap 'exit 0' TERM INT"


@dataclass(frozen=True)
class Ports:
    """One port of the loopback address each."""

    prefect: int
    mlflow: int
    reports: int
    service: int

    def addresses(self) -> dict[str, str]:
        """Service → where a browser finds it."""
        return {name: f"http://{LOOPBACK}:{port}" for name, port in vars(self).items()}

    def refuse_taken(self) -> None:
        """Raise WorkspaceError for a port that two services would share, or on which something listens already."""
        for name, port in vars(self).items():
            if list(vars(self).values()).count(port) > 1:
                raise WorkspaceError(f"port {port} is given to two services; choose another one with --{name}-port")
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, port)) == 0:
                    raise WorkspaceError(f"port {port} is taken; choose another one with --{name}-port")


@contextmanager
def only_one(home: Workspace) -> Iterator[None]:
    """Keep another `tribute up` off the workspace while the body runs.

    Whatever the body forks holds on to this: after a violent end of `up`, until its services have ended. Raises
    WorkspaceError where another one is up.
    """
    with (home.root / "up.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise WorkspaceError(
                f"`tribute up` is up on {home.root} already, or its services are still ending (process {file.read()}); "
                "wait, or stop it with Ctrl-C or SIGTERM"
            ) from error
        file.truncate(0)
        print(os.getpid(), end="", file=file, flush=True)
        yield


def commands(home: Workspace, ports: Ports, checkout: Path) -> dict[str, str]:
    """Service → the shell's command that starts it, again whenever it ends. Raises WorkspaceError in a wheel.

    Addresses of databases and the token of the reports are in the environment: every account can read commands.
    """
    if not (checkout / "prefect.yaml").is_file():
        raise WorkspaceError(
            f"{checkout} has no prefect.yaml: `tribute up` needs a checkout of Tribute; see docs/deploy.md"
        )
    for folder in (home.mlflow, home.reports):
        folder.mkdir(exist_ok=True)
    python = [sys.executable, "-m"]
    # Set-up waits for the server; the worker starts once the deployments are there.
    set_up = shlex.join([*python, "flows.setup"])
    deploy = shlex.join([*python, "prefect", "--no-prompt", "deploy", "--all"])
    worker = shlex.join([*python, "flows.worker"])
    lines = {
        "prefect": [*python, *("prefect", "server", "start"), *_listening(ports.prefect)],
        "mlflow": [*python, *("mlflow", "server", "--workers", "1"), *_listening(ports.mlflow)],
        "reports": [*python, "tribute.server.reports", str(home.reports), str(ports.reports)],
        "service": [*python, *("tribute", "serve", "-w", str(home.root)), *_listening(ports.service)],
    }
    again = {name: _again(shlex.join(line)) for name, line in lines.items()}
    if "TRIBUTE_REGISTRY_KEY" not in os.environ:
        # The registry's key, made by the first release, certifies what the service signs with.
        released = shlex.join(["test", "-s", str(home.keys / "registry.pem")])
        again["service"] = f"{TRAP}; until {released}; do sleep 2; done; {again['service']}"
    return again | {"worker": _again(f"{set_up} && {deploy} > /dev/null && {worker}")}


def _listening(port: int) -> list[str]:
    return ["--host", LOOPBACK, "--port", str(port)]


def environment(base: Mapping[str, str], home: Workspace, ports: Ports, checkout: Path) -> dict[str, str]:
    """What the services find in their shell: each other, and the workspace."""
    known = base.get("PYTHONPATH")
    # A database that other machines use as well is asked through the server alone.
    tracked = {"MLFLOW_TRACKING_URI": ports.addresses()["mlflow"]} if DATABASE in base else {}
    return {
        DATABASE: f"sqlite:///{home.mlflow / 'mlflow.db'}",
        FILES: str(home.mlflow / "artifacts"),
        **base,
        **tracked,
        TOKEN: reports_token(home),
        "PYTHONPATH": f"{checkout}:{known}" if known else str(checkout),
        "PYTHONUNBUFFERED": "1",
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_API_URL": f"{ports.addresses()['prefect']}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TRIBUTE_WORKSPACE": str(home.root),
        "TRIBUTE_REPORTS_URL": ports.addresses()["reports"],
    }


def _again(command: str) -> str:
    return f"{TRAP}; while :; do {command}; echo 'ended; it starts again'; sleep 2; done"
