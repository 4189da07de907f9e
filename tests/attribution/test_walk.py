"""Walking back through a trace passes through every state that the training passed through."""

import pytest
import torch

from tests.finetuning import tiny
from tribute.attribution.walk import walk_back
from tribute.errors import AttributionError
from tribute.finetuning.preparation import prepare
from tribute.finetuning.trace import flatten
from tribute.finetuning.training import train

EVERY_STEP = 64
"""More states than twice the steps: then the spacing leaves no step out."""
FIRST = 2
"""Walks end here: below, A's second moment comes out of nothing, so a trace always holds those states."""


@pytest.fixture(scope="module")
def recorded(dataset, bert, tmp_path_factory):
    """Model, rows and trace of a training that was recorded at every step."""
    scratch = tmp_path_factory.mktemp("walk")
    config = tiny.bert_config(bert, trace_states=EVERY_STEP, learning_rate=3e-3)
    ready = prepare(dataset, config, scratch, 0)
    return ready.model, ready.train, train(ready.model, ready.train, config, 0, scratch / "own").trace


def walk(model, rows, trace, scale=1.0):
    """Walk back from the last state without looking at those between; gives what was visited and the drift."""
    position = {row_id: index for index, row_id in enumerate(rows.row_ids)}
    visited = []

    def visit(update):
        visited.append((update, flatten(model.trainable())))
        losses = model.row_losses(rows.collate([position[row_id] for row_id in trace.steps[update.step]]))
        gradients = torch.autograd.grad(losses.sum() / trace.batch_size, list(model.trainable().values()))
        return scale * flatten(dict(enumerate(gradients)))

    return visited, walk_back(model, trace, trace.states[FIRST], trace.states[-1], visit)


def test_every_state_is_rebuilt(recorded):
    """Parameters before the step, the first moment after it, to single precision's rounding."""
    model, rows, trace = recorded

    visited, drift = walk(model, rows, trace)

    assert [update.step for update, _ in visited] == list(reversed(range(FIRST, len(trace.steps))))
    assert drift < 0.005
    for update, theta in visited:
        before, after = trace.states[update.step], trace.states[update.step + 1]
        assert torch.allclose(theta, before.theta, atol=1e-5)
        assert torch.allclose(update.m.float(), after.m, rtol=1e-2, atol=1e-3 * float(after.m.abs().max()))
        assert torch.allclose((update.preconditioner * update.m).float(), before.theta - after.theta, atol=1e-5)


def test_other_gradients_lead_astray(recorded):
    """Half the gradient comes out somewhere else, and is refused."""
    with pytest.raises(AttributionError, match=r"misses the recorded state of step 2 by .*delete the adapter"):
        walk(*recorded, scale=0.5)
