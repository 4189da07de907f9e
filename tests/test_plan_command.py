"""A plan counts what the run then does, and reads neither weights nor a workspace where there is none."""

import re
import shutil
from pathlib import Path

import pytest

from tests.finetuning.helpers.tiny import write_llama
from tests.helpers.terminal import tribute
from tribute.errors import DeviceMemoryError
from tribute.finetuning import workers
from tribute.finetuning.children import NO_MEMORY
from tribute.finetuning.recording.trace import load_trace
from tribute.workspace import Workspace

WITH_SOURCE = """run: assistant
dataset: {name: answers, version: v1.0.0, source: {kind: answers, rows_per_package: 12, packages: [rich, aiohttp]}}
finetuning:
  base: {folder: base}
  lora: {target_modules: all-linear}
  max_tokens: 64
  truncate: true
  template: "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
"""


def planned(*arguments: object) -> dict:
    ended = tribute("plan", *arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def test_a_plan_counts_what_the_run_did(tiny: Path, finished: Path):
    """Rows, steps, states and trained parameters are those of the training, and its folder is as large as planned."""
    said = planned(tiny / "config.yaml", "-w", finished)
    store = Workspace.open(finished).store
    adapters = list(store.all("adapter"))
    trace = load_trace(adapters[0].path)

    assert said["screened"]
    assert said["step_count"] == len(trace.steps)
    assert said["state_count"] == len(trace.states)
    assert said["trained_count"] == len(trace.states[0].theta)
    assert said["rows_training"] == len({row for step in trace.steps for row in step})
    states = sum((adapter.path / "trace" / "states.safetensors").stat().st_size for adapter in adapters)
    assert said["planned_stages"][0]["disk_bytes"] == pytest.approx(states, rel=0.2)


def test_a_base_that_is_shared_out_takes_less_of_each_gpu(tiny: Path, finished: Path):
    """More processes, less; the host still loads all of it, and a CPU is not told otherwise."""
    plans = {
        (count, gpu): planned(
            *(tiny / "config.yaml", "-w", finished, "--gpu", gpu),
            *(word for change in changes for word in ("--set", f"finetuning.{change}")),
        )["planned_stages"][0]
        for count, changes in {1: [], 2: ["processes=2", "shard=true"], 8: ["processes=8", "shard=true"]}.items()
        for gpu in ("h100-sxm", "cpu")
    }

    assert plans[8, "h100-sxm"]["device_bytes"] < plans[2, "h100-sxm"]["device_bytes"]
    assert len({plan["host_bytes"] for (_, gpu), plan in plans.items() if gpu != "cpu"}) == 1
    assert len({plan["device_bytes"] for (_, gpu), plan in plans.items() if gpu == "cpu"}) == 1


def test_layers_that_are_cached_are_not_trained_through(tmp_path: Path):
    """A decoder's as an encoder's: less to compute, and their output on disk."""
    write_llama(tmp_path / "base")
    (tmp_path / "config.yaml").write_text(WITH_SOURCE)
    above = ("--set", "finetuning.lora.layers=[1]")

    whole, upper = (
        planned(tmp_path / "config.yaml", "-w", tmp_path, *more)["planned_stages"][0] for more in ((), above)
    )

    assert upper["flop"] < 0.8 * whole["flop"]
    assert upper["disk_bytes"] > 0


def test_a_stage_is_planned_with_what_it_alone_holds(tiny: Path, finished: Path):
    """The stand-in its rows and what it computes, effects the gradients of draws, a walk looks at the evaluation."""
    stages = {stage["stage"]: stage for stage in planned(tiny / "config.yaml", "-w", finished)["planned_stages"]}
    (file,) = (finished / "artifacts" / "probe").glob("*/probe.safetensors")

    said = stages["stand-in"]

    # A table of so few rows is half its own description.
    assert 0.5 < said["disk_bytes"] / sum(part.stat().st_size for part in file.parent.iterdir()) < 1.2
    assert said["flop"] > stages["fine-tune"]["flop"] / 10
    assert stages["predict effects"]["device_bytes"] > stages["credit"]["device_bytes"] > said["device_bytes"]


def test_a_trace_in_segments_is_planned_with_its_states(tiny: Path, finished: Path):
    """As many as `trace_states` says, however long the training; its walk trains once more."""
    longer = ("--set", "finetuning.epochs=40", "--set", "finetuning.trace_states=4")

    default, segments = (
        planned(tiny / "config.yaml", "-w", finished, *longer, "--set", f"finetuning.trace_segments={word}")
        for word in ("false", "true")
    )

    assert segments["state_count"] < default["state_count"]
    (_, one, *_), (_, two, *_) = default["planned_stages"], segments["planned_stages"]
    assert one["stage"] == "credit"
    assert two["flop"] > 1.1 * one["flop"]


def test_stages_are_those_of_the_config(tiny: Path, finished: Path):
    """More validation and a budget ask for more work; every stage has its time and memory."""
    small = planned(tiny / "config.yaml", "-w", finished, "--set", "attribution.validation=off")
    large = planned(
        *(tiny / "config.yaml", "-w", finished, "--set", "attribution.validation=full"),
        *("--set", "attribution.budget=10"),
    )

    assert [stage["stage"] for stage in small["planned_stages"]] == ["fine-tune", "credit", "stand-in"]
    assert [stage["stage"] for stage in large["planned_stages"]][3:] == ["controls", "predict effects", "retrain"]
    assert large["hours"] > 3 * small["hours"]
    assert all(stage["flop"] > 0 and stage["device_bytes"] > 0 for stage in large["planned_stages"])


def test_looks_at_held_out_rows_are_counted(tiny: Path, finished: Path):
    """The more often the validation rows are read, the more a training takes; as a forward pass each."""
    command = (tiny / "config.yaml", "-w", finished, "--set", "finetuning.validation.fraction=0.25", "--set")
    rarely = planned(*command, "finetuning.validation.every=1000")
    often = planned(*command, "finetuning.validation.every=1")
    without = planned(tiny / "config.yaml", "-w", finished)

    looks = [said["planned_stages"][0]["flop"] for said in (rarely, often)]
    assert rarely["step_count"] == often["step_count"] > 1
    assert looks[1] > looks[0]
    assert rarely["rows_training"] < without["rows_training"]


def test_without_workspace_rows_come_from_the_source(tmp_path: Path):
    """Weights are not read, and nothing is left behind."""
    (tmp_path / "config.yaml").write_text(WITH_SOURCE)
    write_llama(tmp_path / "base")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"no weights")

    said = planned(tmp_path / "config.yaml", "-w", tmp_path / "nowhere", "--gpu", "l4", "--price", "0.5")

    assert not said["screened"]
    assert said["rows_training"] > 24
    assert said["machine"] == "l4"
    assert said["fits"]
    assert all(stage["cost"] == pytest.approx(stage["hours"] / 2) for stage in said["planned_stages"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "config.yaml"]


def test_what_cannot_be_planned_is_said(tiny: Path, tmp_path: Path):
    """A machine that is not known, and a dataset that is neither released nor has a source."""
    unknown = tribute("plan", tiny / "config.yaml", "--gpu", "h900")
    nowhere = tribute("plan", tiny / "config.yaml", "-w", tmp_path, "--set", "dataset.source=null")

    assert unknown.code == nowhere.code == 2
    assert "the plan does not know 'h900'; it knows cpu, a100-80gb" in unknown.err
    assert "there is no dataset version" in nowhere.err


def test_a_base_that_is_too_large_is_said(tiny: Path, finished: Path, monkeypatch: pytest.MonkeyPatch):
    """The last line says which settings help."""
    from tribute.pipeline.planning import machines

    monkeypatch.setitem(machines.GPUS, "l4", machines.Machine("l4", 1e12, 1e6, "https://example.org"))
    ended = tribute("plan", tiny / "config.yaml", "-w", finished, "--gpu", "l4", "--price", "2")

    assert "l4 has too little memory: set finetuning.precision: bfloat16" in ended.out
    assert "cost" in ended.out


@pytest.mark.parametrize("command", ["finetune", "attribute"])
def test_a_full_gpu_is_compared_with_the_plan(
    tiny: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
):
    """One line: which settings help, and what the plan says of the stages; trainings and walks alike."""

    def full(*_: object, **__: object) -> None:
        raise DeviceMemoryError(NO_MEMORY)

    monkeypatch.setattr(workers, "run_child", full)
    home = shutil.copytree(finished, tmp_path / "home", symlinks=True)
    for kind in {"finetune": ("adapter",), "attribute": ("attribution", "credit")}[command]:
        shutil.rmtree(home / "artifacts" / kind)

    ended = tribute(command, tiny / "config.yaml", "-w", home)

    assert ended.code == 2
    [line] = [line for line in ended.err.splitlines() if NO_MEMORY in line]
    assert re.search(r"; `tribute plan` says that a process takes: fine-tune \d+\.\d GB, credit \d+\.\d GB, ", line)
