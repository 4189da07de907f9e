"""The processes that `tribute up` keeps running, as commands of a shell."""

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tribute.errors import WorkspaceError
from tribute.server.reports import TOKEN, reports_token
from tribute.workspace import Workspace

LOOPBACK = "127.0.0.1"
DATABASE = "MLFLOW_BACKEND_STORE_URI"
"""What names the database of MLflow's server, read by MLflow itself."""
STARTS = 180
"""Seconds that Prefect's server has to answer before the worker's set-up gives up and is started again."""


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
        """Raise WorkspaceError for a port on which something listens already."""
        for name, port in vars(self).items():
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, port)) == 0:
                    raise WorkspaceError(f"port {port} is taken; choose another one with --{name}-port")


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
    set_up = shlex.join([sys.executable, "-c", f"from flows.setup import set_up; set_up({STARTS})"])
    deploy = shlex.join([*python, "prefect", "--no-prompt", "deploy", "--all"])
    worker = shlex.join([*python, "flows.worker"])
    lines = {
        "prefect": [*python, *("prefect", "server", "start"), *_listening(ports.prefect)],
        "mlflow": [*python, *("mlflow", "server", "--workers", "1"), *_listening(ports.mlflow)],
        "reports": [*python, "tribute.server.reports", str(home.reports), str(ports.reports)],
        "service": [*python, *("tribute", "serve", "-w", str(home.root)), *_listening(ports.service)],
    }
    if not (home.keys / "registry.pem").exists() and "TRIBUTE_REGISTRY_KEY" not in os.environ:
        # The registry's key, made by the first release, certifies what the service signs with.
        del lines["service"]
    again = {name: _again(shlex.join(line)) for name, line in lines.items()}
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
    return f"trap 'exit 0' TERM INT; while :; do {command}; echo 'ended; it starts again'; sleep 2; done"
