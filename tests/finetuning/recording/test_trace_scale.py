"""Recording a training of many parameters costs no memory, and on disk what its states weigh."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.numeric,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its peak from Linux's /proc"),
]

MEASURE = """
import json, sys
from pathlib import Path
import torch
from tests.finetuning.helpers import tiny
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.training.training import train

base, root, recorded = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "recorded"
torch.set_num_threads(1)
lora = {"target_modules": "all-linear", "r": 1024, "alpha": 1024}
config = tiny.llama_config(base, lora=lora, epochs=4, trace_states=30)
ready = prepare(tiny.make_dataset(root, rows=24, task="causal-lm"), config, root, 0)
training = train(ready.model, ready.train, config, 0, root / "own", recorded=recorded)
facts = {
    "peak": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024,
    "parameters": sum(value.numel() for value in ready.model.trainable().values()),
    "states": len(training.trace.states),
    "bytes": training.states.stat().st_size if recorded else 0,
    "files": sorted(path.name for path in (root / "own").glob("states*")),
}
print(json.dumps(facts))
"""


def measured(llama, folder, recorded):
    """A training in a process of its own: a peak is the whole process's."""
    folder.mkdir()
    command = [sys.executable, "-c", MEASURE, str(llama), str(folder), recorded]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def test_recording_costs_disk_and_no_memory(llama, tmp_path):
    """A million parameters at 13 states: 160 MB in one file, and the peak of a training that records nothing."""
    plain, recorded = measured(llama, tmp_path / "a", "plain"), measured(llama, tmp_path / "b", "recorded")

    weight = recorded["states"] * 3 * recorded["parameters"] * 4
    assert weight > 150 * 2**20
    assert 0 < recorded["bytes"] - weight < 1024
    assert recorded["files"] == ["states.safetensors"]
    assert plain["files"] == []
    assert recorded["peak"] - plain["peak"] < weight / 4
