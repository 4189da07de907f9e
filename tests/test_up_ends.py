"""Theorem: however `tribute up` ends, what it started ends too, the worker before the server it reports to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.processes import MARK, group, needs_proc, wait_for
from tribute.pipeline.launch.end_runs import end_runs

KEEP = """
import sys
from tribute.cli._manager import Manager
manager = Manager()
for name, line in zip(("prefect", "mlflow", "worker"), sys.argv[1:]):
    manager.add_process(name, line)
manager.loop()
"""
TELLS = "trap 'echo {name} >> {log}; exit' TERM; touch {log}.{name}; while :; do sleep 0.1; echo {name} works; done"
STUBBORN = "trap '' TERM; setsid sleep 600 & touch {log}.{name}; while :; do sleep 0.1; done"


def start(folder: Path, worker: str) -> "subprocess.Popen[bytes]":
    """A manager of two services and a worker, all of them at work."""
    log = folder / "ended"
    lines = [
        line.format(name=name, log=log) for name, line in (("prefect", TELLS), ("mlflow", TELLS), ("worker", worker))
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP, *lines],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {MARK: str(folder)},
    )
    wait_for(lambda: len(list(folder.glob("ended.*"))) == 3, "all services")
    return process


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    """A test that fails leaves no process behind either."""
    yield
    for pid in group(tmp_path):
        os.kill(pid, signal.SIGKILL)


@needs_proc
@pytest.mark.parametrize(
    "how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL], ids=lambda how: how.name
)
def test_all_end_with_up(how: signal.Signals, tmp_path: Path):
    """Also where the terminal is gone, and where `up` itself could do nothing."""
    process = start(tmp_path, TELLS)
    assert process.stdout is not None
    if how is signal.SIGHUP:
        process.stdout.close()

    process.send_signal(how)

    wait_for(lambda: group(tmp_path) == [], "the end of all services")
    assert process.wait() == (-how if how is signal.SIGKILL else 0)
    first, *others = (tmp_path / "ended").read_text().split()
    assert (first, set(others)) == ("worker", {"prefect", "mlflow"})


@needs_proc
def test_the_second_signal_kills(tmp_path: Path):
    """A worker that does not end is not waited for any longer, nor is what it started in a session of its own."""
    process = start(tmp_path, STUBBORN)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert len(group(tmp_path)) > 3, "the worker has its seconds"

    begun = time.monotonic()
    process.send_signal(signal.SIGINT)

    wait_for(lambda: group(tmp_path) == [], "the end of all services")
    assert process.wait() == 0
    assert time.monotonic() - begun < 20


def test_a_run_that_ends_meanwhile(monkeypatch: pytest.MonkeyPatch):
    """It keeps a worker from nothing: the runs that are left are told to end."""
    gone, left = (subprocess.Popen(["sleep", "600"]) for _ in range(2))
    runs = [psutil.Process(gone.pid), psutil.Process(left.pid)]
    monkeypatch.setattr(psutil.Process, "children", lambda _: runs)
    gone.kill()
    gone.wait()

    end_runs()

    assert runs[1].returncode == -signal.SIGTERM  # psutil has waited for it
