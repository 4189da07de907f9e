"""A server beside a command: `tribute serve` as a process on loopback, which ends with the command in any case."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tribute.errors import ServiceError
from tribute.workspace import Workspace

LOOPBACK = "127.0.0.1"
STARTS, ENDS = 300, 30
"""Seconds that a server has to load its models, and to end."""


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """Serve a workspace on a free port: the address. Its log, `services/serve-PORT.log`, stays where something fails.

    The server ends at the end of its standard input, which this process alone holds open: it does not outlive a command
    that is killed, either. Raises ServiceError where it does not start, with its last line.
    """
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tribute", "serve", "--until-eof", "--port", str(port), "-w", str(workspace.root)]
    path = workspace.root / "services" / f"serve-{port}.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        _wait(process, address := f"http://{LOOPBACK}:{port}", path)
        yield address
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    path.unlink()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Until the server answers."""
    ends = time.monotonic() + STARTS
    while time.monotonic() < ends:
        if process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise ServiceError(f"`tribute serve` ended at its start: {lines[-1] if lines else 'without a word'}", 503)
        try:
            httpx.get(f"{address}/health", trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise ServiceError(f"`tribute serve` did not start within {STARTS} seconds; see {log}", 503)
