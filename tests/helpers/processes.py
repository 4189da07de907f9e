"""The processes that a command started, and what they leave half made."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

MARK = "TRIBUTE_TEST"
"""The variable by which a command's processes are known, children and orphans alike."""
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")


def wait_for(is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something to become true; a minute unless said otherwise."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if is_so():
            return
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}")


def group(workspace: Path) -> list[int]:
    """The ids of the processes that were started with MARK set to the workspace, and of all that these started."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={workspace}".encode() in environment and int(path.name) != os.getpid():
            pids.append(int(path.name))
    return pids


def trainings(workspace: Path) -> list[int]:
    """Of these the ones that train or measure: the fork server's children."""
    parents = {pid: _parent(pid) for pid in group(workspace)}
    servers = {pid for pid in parents if "forkserver" in _command(pid) and parents.get(parents[pid]) is not None}
    return sorted(pid for pid, parent in parents.items() if parent in servers and "forkserver" in _command(parent))


def making(workspace: Path) -> list[str]:
    """Artifacts that are half made."""
    return [path.name for path in workspace.glob("artifacts/*/.making-*")]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
