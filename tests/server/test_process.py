"""`tribute serve` as people run it: a process that starts, answers, ends, starts again, and is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.helpers.terminal import tribute
from tests.server.helpers.shop import open_shop
from tribute.cli._serving import serving
from tribute.errors import ServiceError

ENDS = 60
"""Seconds after which a process that does not start or end is a fault, on the slowest machine."""


@contextmanager
def started(workspace, port: int) -> Iterator[subprocess.Popen]:
    """A server process that listens; what is left of it is killed."""
    command = [sys.executable, "-m", "tribute", "serve", "--port", str(port), "-w", workspace.root]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        for line in process.stderr:
            if "listening on" in line:
                break
        assert process.poll() is None
        deadline = time.monotonic() + ENDS
        while curl(port, "/health").returncode and time.monotonic() < deadline:
            time.sleep(0.1)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def curl(port: int, path: str, *options: str) -> subprocess.CompletedProcess:
    """What people type to try a server."""
    return subprocess.run(
        ["curl", "-sS", "--max-time", "60", f"http://127.0.0.1:{port}{path}", *options], capture_output=True, text=True
    )


def ask(port: int, secret: str, model: str, name: str) -> subprocess.CompletedProcess:
    """A paid question that names itself, so that it may be repeated."""
    body = json.dumps({"model": model, "input": "the socket and the server"})
    headers = ("-H", f"Authorization: Bearer {secret}", "-H", f"Idempotency-Key: {name}")
    return curl(port, "/classify", "-D", "-", *headers, "-d", body)


@pytest.fixture(scope="module")
def process_shop(tmp_path_factory):
    """A workspace of the module's own, with prices and a payer."""
    return open_shop(tmp_path_factory.mktemp("process"))


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_ends_starts_again_and_is_killed(process_shop, port):
    """A retry gets the answer of an earlier life without a second charge; a second server of the file is refused."""
    secret = tribute("payer", "key", "acme", "--budget", "1.00", "--json", "-w", process_shop.root).data["secret"]
    with started(process_shop, port) as process:
        models = json.loads(curl(port, "/v1/models", "-H", f"Authorization: Bearer {secret}").stdout)["data"]
        model = next(entry["id"] for entry in models if entry["labels"])
        first = ask(port, secret, model, "q-1")
        second = tribute("serve", "--port", str(port), "-w", process_shop.root)
        process.send_signal(signal.SIGTERM)
        ended = process.wait(ENDS)
    with started(process_shop, port) as process:
        again = ask(port, secret, model, "q-1")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(ENDS)
    with started(process_shop, port):
        killed = ask(port, secret, model, "q-1")
        other = ask(port, secret, model, "q-2")
        spent = json.loads(curl(port, "/v1/budget", "-H", f"Authorization: Bearer {secret}").stdout)

    assert "200 OK" in first.stdout
    assert second.code == 2
    assert "another server has this store open" in second.err
    assert ended == 0
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1] == killed.stdout.splitlines()[-1]
    assert "idempotent-replayed: true" in again.stdout.lower()
    assert "200 OK" in other.stdout
    assert 1_000_000 - spent["remaining"] == 2 * _cost(first.stdout)


PARENT = """
import sys, time
from pathlib import Path
from tribute.cli._serving import serving
from tribute.workspace import Workspace
with serving(Workspace.open(Path(sys.argv[1]))) as address:
    print(address, flush=True)
    time.sleep(600)
"""


def test_a_server_does_not_outlive_the_command_that_started_it(process_shop):
    """Not even a command that is killed: the server's standard input ends, and so does the server."""
    command = [sys.executable, "-c", PARENT, str(process_shop.root)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = int(parent.stdout.readline().rpartition(":")[2])
    answered = curl(port, "/health").returncode
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + ENDS
    while not curl(port, "/health").returncode and time.monotonic() < deadline:
        time.sleep(0.1)

    assert answered == 0
    assert curl(port, "/health").returncode != 0
    # Nobody has the store open any more: the next server starts.
    with serving(process_shop) as address:
        assert curl(int(address.rpartition(":")[2]), "/health").returncode == 0


def test_a_server_that_cannot_start_says_why(process_shop):
    """The last line of its log is the error; nothing is left behind."""
    refused = pytest.raises(ServiceError, match="another server has this store open")
    with serving(process_shop), refused, serving(process_shop):
        pass


def _cost(answer: str) -> int:
    line = next(line for line in answer.splitlines() if line.lower().startswith("tribute-cost:"))
    return int(line.partition(":")[2])
