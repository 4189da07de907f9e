"""Theorem: a run that was cut off leaves no trace but time: run again, it ends with the same artifacts."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.terminal import started, tribute
from tribute.cli._workers import run_each
from tribute.config import load_config
from tribute.pipeline.stages.data import materialised
from tribute.pipeline.stages.training import train
from tribute.workspace import Workspace

LONG = ("--set", "finetuning.epochs=24")


@pytest.fixture
def untrained(finished: Path, tmp_path: Path) -> Path:
    """A workspace with a released version and nothing learned from it."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for name in ("tribute.json", "registry", "remote"):
        subprocess.run(["cp", "-r", finished / name, workspace / name], check=True)
    return workspace


def wait_for(found: Callable[[], bool], what: str) -> None:
    """Wait a minute for something to become true."""
    for _ in range(600):
        if found():
            return
        time.sleep(0.1)
    pytest.fail(f"waited a minute for {what}")


def group(workspace: Path) -> list[int]:
    """Processes that have a file or a command line in the workspace, or work in a session that a training began."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"TRIBUTE_TEST={workspace}".encode() in environment and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found


def making(workspace: Path) -> list[str]:
    """Artifacts that are half made."""
    return [path.name for path in workspace.glob("artifacts/*/.making-*")]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_a_killed_training(untrained: Path, tiny: Path):
    """kill -9 in the middle: no process stays, the next run sweeps up, and the adapters are those of a run in peace."""
    environment = os.environ | {"TRIBUTE_TEST": str(untrained)}
    process = started("finetune", tiny / "config.yaml", *LONG, "-w", untrained, env=environment)
    wait_for(lambda: len(list(untrained.glob("scratch/*/checkpoint-*"))) == 2, "both seeds' first checkpoint")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: group(untrained) == [], "the end of the trainings")
    left = making(untrained)

    again = tribute("finetune", tiny / "config.yaml", *LONG, "-w", untrained, "--json")
    for path in (untrained / "artifacts" / "adapter").iterdir():
        subprocess.run(["rm", "-r", path], check=True)
    in_peace = tribute("finetune", tiny / "config.yaml", *LONG, "-w", untrained, "--json")

    assert len(left) == 2
    assert making(untrained) == []
    assert again.code == 0, again.err
    assert [one["adapter"] for one in again.data["adapters"].values()] == [
        one["adapter"] for one in in_peace.data["adapters"].values()
    ]
    assert not any(one["cached"] for one in in_peace.data["adapters"].values())


def test_an_interrupt_ends_the_trainings(untrained: Path, tiny: Path):
    """Ctrl-C ends the command at once with 130 and a line that says how to go on, and its trainings with it."""
    environment = os.environ | {"TRIBUTE_TEST": str(untrained)}
    process = started(
        "finetune", tiny / "config.yaml", "--set", "finetuning.epochs=4000", "-w", untrained, env=environment
    )
    wait_for(lambda: any(untrained.glob("scratch/*/curve.jsonl")), "the first steps")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err.splitlines()[-1] == "tribute: interrupted; run the same command again to resume"
    assert "Traceback" not in err
    assert time.monotonic() - begun < 30
    wait_for(lambda: group(untrained) == [], "the end of the trainings")
    assert making(untrained) == []


def test_one_failure_ends_the_others(untrained: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """When one seed fails, the command does not wait for the others to train to their end."""
    config = load_config(tiny / "config.yaml", ["finetuning.epochs=4000"])
    home = Workspace.open(untrained)
    dataset = materialised(home, config.dataset.tag)

    def fail_second(seed: int) -> object:
        if seed == 0:
            return train(home, config, dataset, seed)
        wait_for(lambda: any(untrained.glob("scratch/*/curve.jsonl")), "the first steps")
        raise OSError("the second seed's disk is full")

    begun = time.monotonic()
    with pytest.raises(OSError, match="the second seed's disk is full"):
        run_each(fail_second, [1, 0], config.execution.processes)

    assert time.monotonic() - begun < 60
