"""A trace comes back from its folder as it was, or says in one line that it cannot."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tribute.errors import AttributionError
from tribute.finetuning.optimizer import Adam
from tribute.finetuning.trace import State, Trace, assign, flatten, load_trace, save_trace, state_steps


@pytest.fixture
def trace():
    """Two steps of a training of five parameters."""
    states = [State(step, *torch.randn(3, 5)) for step in (0, 2)]
    rates = np.array([0.1, 0.05])
    return Trace(3, 2, Adam(), {"a": (2, 2), "b": (1,)}, rates, [["x:1", "y:1"], []], states)


def test_a_trace_comes_back_as_it_was(trace, tmp_path):
    """Every field survives the folder, a step without rows among them."""
    save_trace(tmp_path, trace)

    loaded = load_trace(tmp_path)

    assert (loaded.seed, loaded.batch_size, loaded.optimizer, loaded.layout) == (3, 2, Adam(), {"a": (2, 2), "b": (1,)})
    assert loaded.steps == [["x:1", "y:1"], []]
    assert loaded.learning_rates.tolist() == [0.1, 0.05]
    assert [state.step for state in loaded.states] == [0, 2]
    for before, after in zip(trace.states, loaded.states, strict=True):
        assert all(torch.equal(getattr(before, name), getattr(after, name)) for name in ("theta", "m", "v"))


@pytest.mark.parametrize("name", ["trace.json", "steps.parquet", "states.safetensors"])
def test_a_damaged_trace_is_refused_in_one_line(trace, tmp_path, name):
    """Whichever file was cut short, the message names the folder and the way out."""
    save_trace(tmp_path, trace)
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


def test_a_trace_without_a_needed_field_is_refused(trace, tmp_path):
    """A JSON file that says too little is damaged too."""
    save_trace(tmp_path, trace)
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
