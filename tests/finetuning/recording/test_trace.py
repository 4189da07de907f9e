"""A trace comes back from its folder as it was, or says in one line that it cannot."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from tribute.errors import AttributionError
from tribute.finetuning.optimizers.adam import Adam
from tribute.finetuning.recording.trace import Trace, assign, flatten, load_trace, save_trace, state_steps
from tribute.finetuning.recording.trace_states import StatesFile, read_states

VECTORS = {name: torch.randn(2, 5, generator=torch.Generator().manual_seed(0)) for name in ("theta", "m", "v")}
"""Of two states."""


def write_states(path, precision="float32"):
    file = StatesFile(path, 2, 5, precision)
    file.create()
    for place in (1, 0):
        for name, values in VECTORS.items():
            file.write(place, name, [values[place, :2].view(2, 1), values[place, 2:]])
    return path


@pytest.fixture
def save(tmp_path):
    """Writes the trace of two steps of a training of five parameters."""
    states = write_states(tmp_path / "own.safetensors")
    rates = np.array([0.1, 0.05])
    steps, layout = [["x:1", "y:1"], []], {"a": (2, 2), "b": (1,)}
    return lambda: save_trace(tmp_path, Trace(3, 2, Adam(), layout, rates, steps, read_states(states, [0, 2])), states)


def test_a_trace_comes_back_as_it_was(save, tmp_path):
    """Every field survives the folder, a step without rows among them."""
    save()

    loaded = load_trace(tmp_path)

    assert (loaded.seed, loaded.batch_size, loaded.optimizer, loaded.layout) == (3, 2, Adam(), {"a": (2, 2), "b": (1,)})
    assert loaded.steps == [["x:1", "y:1"], []]
    assert loaded.learning_rates.tolist() == [0.1, 0.05]
    assert [state.step for state in loaded.states] == [0, 2]
    for place, state in enumerate(loaded.states):
        for name, values in VECTORS.items():
            assert torch.equal(state.read(name), values[place])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_states_are_written_as_safetensors_writes_them(tmp_path, precision):
    """Byte by byte what it makes of all states at once; moments of less precision come back as float32."""
    dtype = getattr(torch, precision)
    save_file(VECTORS | {name: VECTORS[name].to(dtype) for name in ("m", "v")}, tmp_path / "whole.safetensors")

    written = write_states(tmp_path / "own.safetensors", precision)

    assert written.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    state = read_states(written, [0, 2])[1]
    assert torch.equal(state.theta, VECTORS["theta"][1])
    assert torch.equal(state.m, VECTORS["m"][1].to(dtype).float())


def test_a_trace_is_copied_where_no_link_can_be_made(save, tmp_path, monkeypatch):
    """Some file systems know no hard links."""
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("not supported")))
    save()

    assert (tmp_path / "trace" / "states.safetensors").read_bytes() == (tmp_path / "own.safetensors").read_bytes()


def test_a_trace_with_other_states_is_refused(save, tmp_path):
    """The file of states and what trace.json says of it differ."""
    save()
    facts = json.loads((tmp_path / "trace" / "trace.json").read_text())
    (tmp_path / "trace" / "trace.json").write_text(json.dumps(facts | {"states": [0, 1, 2]}))

    with pytest.raises(AttributionError, match=r"expected 3 states of theta, m and v\); delete its folder"):
        load_trace(tmp_path)


@pytest.mark.parametrize("name", ["trace.json", "steps.parquet", "states.safetensors"])
def test_a_damaged_trace_is_refused_in_one_line(save, tmp_path, name):
    """Whichever file was cut short, the message names the folder and the way out."""
    save()
    file = tmp_path / "trace" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    with pytest.raises(
        AttributionError, match=r"trace: the trace cannot be read .*; delete its folder and fine-tune again"
    ) as refused:
        load_trace(tmp_path)

    assert "\n" not in str(refused.value)


def test_a_missing_trace_is_refused(tmp_path):
    """An adapter made elsewhere has no trace."""
    with pytest.raises(AttributionError, match="cannot be read"):
        load_trace(tmp_path)


def test_a_trace_without_a_needed_field_is_refused(save, tmp_path):
    """A JSON file that says too little is damaged too."""
    save()
    (tmp_path / "trace" / "trace.json").write_text("{}")

    with pytest.raises(AttributionError, match="cannot be read"):
        load_trace(tmp_path)


@given(st.integers(2, 500), st.integers(4, 80), st.sampled_from([0, 0.05, 0.5, 0.9]))
def test_recorded_steps_run_from_the_start_to_the_end(steps, count, warm):
    """State 0 and the last state are always recorded, in order and each once, and the first three steps that move."""
    rates = np.minimum(np.arange(steps) / (warm * steps) if warm else 1.0, 1 - np.arange(steps) / steps)
    recorded = state_steps(rates, count)

    assert recorded[0] == 0
    assert recorded[-1] == steps
    assert recorded == sorted(set(recorded))
    moving = int(np.flatnonzero(rates)[0])
    assert set(range(moving, min(moving + 3, steps))) <= set(recorded)


def test_states_follow_the_path_not_the_clock():
    """Nothing moves in the first half: hardly a state is spent there."""
    recorded = state_steps(np.array([1e-9] * 50 + [1.0] * 50), 20)

    assert sum(step < 50 for step in recorded) <= 3 + 1


def test_assign_is_the_inverse_of_flatten():
    """A flat vector written back gives the same parameters."""
    parameters = {"a": nn.Parameter(torch.randn(2, 3)), "b": nn.Parameter(torch.randn(4))}
    vector = flatten(parameters)
    others = {name: nn.Parameter(torch.zeros_like(value)) for name, value in parameters.items()}

    assign(others, vector)

    assert all(torch.equal(others[name], parameters[name]) for name in parameters)
