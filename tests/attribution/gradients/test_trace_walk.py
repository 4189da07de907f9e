"""Walking back through a trace passes through every state that the training passed through."""

import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.gradients.trace_walk import walk_back
from tribute.errors import AttributionError
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import flatten
from tribute.finetuning.recording.trace_states import State
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

EVERY_STEP = 64
"""More states than twice the steps: then the spacing leaves no step out."""
EPSILON = torch.finfo(torch.float32).eps
"""Twice the most that rounding changes a float32, relatively."""
SURE = 4
"""Random roundings of n terms add up to more than this times √n with a chance of 2·exp(−SURE²/2), under 0.1 %."""
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
        theta = flatten(model.trainable())
        losses = model.row_losses(rows.collate([position[row_id] for row_id in trace.steps[update.step]]))
        gradients = torch.autograd.grad(losses.sum() / trace.batch_size, list(model.trainable().values()))
        gradient = scale * flatten(dict(enumerate(gradients)))
        visited.append((update, theta, gradient))
        return gradient

    return visited, walk_back(model, trace, trace.states[FIRST], trace.states[-1], visit)


def test_every_state_is_rebuilt(recorded):
    """Parameters before the step, the first moment after it and the update, as far as single precision knows them.

    The walk is in double precision; what it cannot undo is that training rounded. With ε of float32, step t gave

        m' = β₁m + (1−β₁)g + O(ε|m'|)    v' = β₂v + (1−β₂)g² + O(ε|v'|)    θ' = θ − κm'/√r + O(ε|θ'|)

    κ = lr/(1−β₁ᵗ⁺¹), r = v'/(1−β₂ᵗ⁺¹) + ε_Adam². An entry of the gradient is a sum over the batch's n tokens, so
    the one found again is off by at most η = SURE·√n·ε·max|g| (roundings are random: Higham & Mary 2019); this premise
    is checked. Solved for the state before, with errors δ of the state after:

        δm ≤ (δm' + (1−β₁)η + ε|m'|) / β₁    δv ≤ (δv' + (1−β₂)(2|g|η + η²) + ε|v'|) / β₂

    Where v was nearly 0, δv may be as large as v itself, and is divided by 1−β₂ᵗ⁺¹, which is small in early steps.
    The update κm'/√r magnifies it by the slope of 1/√r, which is steepest there. So with r₋, the least that r may
    be for a v' that is off by δv',

        δupdate ≤ κ (δm'/√r₋ + |m'|(1/√r₋ − 1/√r)) + 2ε·update + ε|θ'|    δθ ≤ δθ' + δupdate

    whatever the processor's order of sums. Nothing here was fitted: by entries the bound is from 1e-8 at the last step
    to 1e-2 for a few at the first, where the drift, a norm, says more.
    """
    model, rows, trace = recorded
    beta1, beta2 = trace.optimizer.beta1, trace.optimizer.beta2
    terms = trace.batch_size * max(map(len, rows.tokens))

    visited, drift = walk(model, rows, trace)

    assert [update.step for update, *_ in visited] == list(reversed(range(FIRST, len(trace.steps))))
    assert drift < 0.005
    m_error = v_error = theta_error = torch.zeros_like(trace.states[-1].theta, dtype=torch.float64)
    for update, theta, found in visited:
        before, after = (_double(trace.states[step]) for step in (update.step, update.step + 1))
        gradient = (after.m - beta1 * before.m) / (1 - beta1)
        scale = float(trace.learning_rates[update.step]) / (1 - beta1 ** (update.step + 1))
        inverse, most = (
            scale / (v / update.correction + trace.optimizer.eps**2).sqrt()
            for v in (after.v, (after.v - v_error).clamp_min(0))
        )
        applied = after.m.abs() * inverse
        step_error = m_error * most + after.m.abs() * (most - inverse) + EPSILON * (2 * applied + after.theta.abs())
        theta_error = theta_error + step_error

        assert (_off(update.m, after.m) <= m_error + EPSILON * after.m.abs()).all()
        assert (_off(update.preconditioner * update.m, before.theta - after.theta) <= step_error).all()
        assert (_off(theta, before.theta) <= theta_error + EPSILON * before.theta.abs()).all()
        gradient_error = SURE * terms**0.5 * EPSILON * float(gradient.abs().max())
        # What is found at the last θ is in nothing that is looked at here.
        assert update.step == FIRST or _off(found, gradient).max() <= gradient_error
        m_error = (m_error + (1 - beta1) * gradient_error + EPSILON * after.m.abs()) / beta1
        squares = 2 * gradient.abs() * gradient_error + gradient_error**2
        v_error = (v_error + (1 - beta2) * squares + EPSILON * after.v) / beta2


def _double(state):
    return State(state.step, lambda name: state.read(name).double())


def _off(value, expected):
    return (value.double() - expected).abs()


def test_other_gradients_lead_astray(recorded):
    """Half the gradient comes out somewhere else, and is refused."""
    with pytest.raises(AttributionError, match=r"misses the recorded state of step 2 by .*delete the adapter"):
        walk(*recorded, scale=0.5)
