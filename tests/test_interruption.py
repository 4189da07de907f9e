"""Theorem: a run that was cut off leaves no trace but time: run again, it ends with the same artifacts."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.processes import MARK, group, making, needs_proc, wait_for
from tests.helpers.terminal import started, tribute
from tribute.cli._workers import run_each
from tribute.config import load_config
from tribute.pipeline.stages.learned import materialised
from tribute.pipeline.stages.training import train
from tribute.workspace import Workspace

LONG = ("--set", "finetuning.epochs=24")


@needs_proc
@pytest.mark.parametrize(("how", "half_made"), [(signal.SIGKILL, 2), (signal.SIGTERM, 0)])
def test_a_killed_training(untrained: Path, tiny: Path, how: signal.Signals, half_made: int):
    """Killed in the middle, no process stays, the next run sweeps up, and the adapters are those of a run in peace.

    SIGTERM is heard: what was trained is saved after the present step.
    """
    environment = os.environ | {MARK: str(untrained)}
    process = started("finetune", tiny / "config.yaml", *LONG, "-w", untrained, env=environment)
    wait_for(lambda: len(list(untrained.glob("scratch/*/checkpoint-*"))) == 2, "both seeds' first checkpoint")
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    wait_for(lambda: group(untrained) == [], "the end of the trainings")
    left = making(untrained)
    if how == signal.SIGTERM:
        assert (process.returncode, err.splitlines()[-1]) == (
            143,
            "tribute: interrupted; run the same command again to resume",
        )
        for curve in untrained.glob("scratch/*/curve.jsonl"):
            steps = len(curve.read_text().splitlines())
            assert [path.name for path in curve.parent.glob("checkpoint-*")] == [f"checkpoint-{steps}"]

    again = tribute("finetune", tiny / "config.yaml", *LONG, "-w", untrained, "--json")
    for path in (untrained / "artifacts" / "adapter").iterdir():
        subprocess.run(["rm", "-r", path], check=True)
    in_peace = tribute("finetune", tiny / "config.yaml", *LONG, "-w", untrained, "--json")

    assert len(left) == half_made
    assert making(untrained) == []
    assert again.code == 0, again.err
    assert [one["adapter"] for one in again.data["adapters"].values()] == [
        one["adapter"] for one in in_peace.data["adapters"].values()
    ]
    assert not any(one["cached"] for one in in_peace.data["adapters"].values())


def test_an_interrupt_ends_the_trainings(untrained: Path, tiny: Path):
    """Ctrl-C ends the command at once with 130 and a line that says how to go on, and its trainings with it."""
    environment = os.environ | {MARK: str(untrained)}
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
