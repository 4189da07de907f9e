"""Theorem: whatever is killed, and whenever, the run ends with the bytes of an undisturbed one; no orphan stays."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

from flows import finetuning as learning
from tribute.config import load_config
from tribute.pipeline.stages.data import materialised
from tribute.workspace import Workspace


def test_a_killed_training_is_tried_again(engine: None, untrained: Path, tiny: Path):
    """The kernel kills a training, as where memory runs out: its task starts it again, from its last checkpoint."""
    home, config = Workspace.open(untrained), load_config(tiny / "config.yaml", ["finetuning.epochs=24"])
    dataset = materialised(home, config.dataset.tag)
    killed: list[int] = []

    def kill_after_checkpoint() -> None:
        for _ in range(600):
            pids = [child.pid for child in multiprocessing.active_children()]
            if pids and any(untrained.glob("scratch/*/checkpoint-*")):
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_after_checkpoint)
    killer.start()
    disturbed = learning.run(str(untrained), config, dataset.id)
    killer.join()
    for path in (untrained / "artifacts" / "adapter").iterdir():
        shutil.rmtree(path)
    in_peace = learning.run(str(untrained), config, dataset.id)

    assert killed
    assert disturbed["adapters"] == in_peace["adapters"]
