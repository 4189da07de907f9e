"""A Newton step is where a training without a contributor ends: exactly where that is known, nearly where it is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.card.metrics import slope
from tribute.attribution.effects import newton
from tribute.attribution.effects.newton import effects_of_leaving_out, newton_steps, slowness
from tribute.attribution.gradients.curvature import points_along
from tribute.attribution.gradients.sampled_labels import draw
from tribute.errors import AttributionError
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import assign, flatten
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

PENALTY = 3.0
TASKS = ("sequence-classification", "causal-lm")


def ridge(inputs, targets, penalty=PENALTY):
    """The parameters of a ridge regression."""
    return torch.linalg.solve(inputs.T @ inputs + penalty * torch.eye(inputs.shape[1]), inputs.T @ targets)


def test_a_step_is_exact_for_a_ridge_regression():
    """There Gauss–Newton is the Hessian, so every contributor's step ends at the regression without its rows.

    The penalty falls for each. One contributor's rows say nearly the same, so that
    leaving its own curvature in would be far off.
    """
    chance = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(40, 12, generator=chance), torch.randn(40, generator=chance)
    owner = np.array([0] * 15 + [1] * 5 + [2] * 20)
    inputs[owner == 1] = 4 * inputs[owner == 1][:1] + 0.1 * inputs[owner == 1]
    whole = ridge(inputs, targets)
    gradients = inputs * (inputs @ whole - targets)[:, None]
    sums = torch.stack([gradients[owner == one].sum(0) for one in range(3)])

    found = newton_steps(sums, torch.tensor([0.7, 0.4, 0.9]), inputs, owner, PENALTY, whole)

    rest = zip((0.7, 0.4, 0.9), (owner != one for one in range(3)), strict=True)
    expected = torch.stack([ridge(inputs[some], targets[some], part * PENALTY) - whole for part, some in rest])
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_a_contributor_of_whom_nothing_was_drawn():
    """Its own curvature is not known, so none is taken out."""
    chance = torch.Generator().manual_seed(1)
    drawn, sums = torch.randn(6, 4, generator=chance), torch.randn(2, 4, generator=chance)

    found = newton_steps(sums, torch.tensor([0.5, 1.0]), drawn, np.zeros(6, dtype=int), PENALTY, torch.ones(4))

    assert torch.allclose(found[1], torch.linalg.solve(drawn.T @ drawn + PENALTY * torch.eye(4), sums[1]), atol=1e-5)


def test_slowness_is_the_root_of_what_a_batch_squares_without_a_contributor():
    """Against the batches themselves: one whose gradients agree counts for more than its squares."""
    chance = torch.Generator().manual_seed(2)
    rows, size, owner = torch.randn(300, 5, generator=chance), 4, np.repeat([0, 1, 2], 100)
    rows[owner == 1] += 0.4
    batches = torch.randint(300, (80_000, size), generator=chance)

    def mean_square(gradients):
        return float((gradients[batches].sum(1) / size).square().sum(1).mean())

    sums, squares = (torch.stack([one[owner == who].sum(0) for who in range(3)]) for one in (rows, rows.square()))

    found = slowness(sums, squares.sum(1), len(rows), size)

    without = [rows * torch.from_numpy(owner != who)[:, None] for who in range(3)]
    expected = [(mean_square(one) / mean_square(rows)) ** 0.5 for one in without]
    assert found.tolist() == pytest.approx(expected, rel=0.01)
    assert expected[1] < 0.9 * expected[0]


def test_where_no_row_has_a_gradient_nothing_goes_faster():
    """A model that cannot do better."""
    assert slowness(torch.zeros(2, 3), torch.zeros(2), 10, 4).tolist() == [1.0, 1.0]


def test_without_the_only_contributor_nothing_was_learned():
    """The step goes back all the way."""
    way = torch.arange(4.0)

    found = newton_steps(torch.ones(1, 4), torch.zeros(1), torch.eye(4), np.zeros(4, dtype=int), PENALTY, way)

    assert torch.equal(found[0], -way)


@pytest.fixture(scope="module", params=TASKS)
def trained(request, tmp_path_factory):
    """A recorded training, whose rows they are, and what really leaving each contributor out costs; read only."""
    causal = request.param == "causal-lm"
    scratch = tmp_path_factory.mktemp("newton")
    data = tiny.make_dataset(scratch / "workspace", task=request.param, rows=96, evaluation=48)
    base = request.getfixturevalue("llama" if causal else "bert")
    config = (tiny.llama_config if causal else tiny.bert_config)(base, epochs=4, learning_rate=3e-3)
    ready = prepare(data, config, scratch, 0)
    start = flatten(ready.model.trainable()).clone()
    # One contributor for each topic, and one for a fifth of the rows of all of them.
    owner = np.unique(ready.train.slices, return_inverse=True)[1]
    owner[::5] = owner.max() + 1

    def fit(dropped, name):
        assign(ready.model.trainable(), start)
        trace = train(ready.model, ready.train, config, 0, scratch / name, dropped=frozenset(dropped)).trace
        return trace, evaluate(ready.model, ready.evaluation).losses.mean()

    trace, whole = fit([], "whole")
    without = [fit(np.flatnonzero(owner == one).tolist(), str(one))[1] for one in range(owner.max() + 1)]
    return ready, trace, owner, np.array(without) - whole


def test_what_steps_are_made_from(trained, monkeypatch):
    """Every contributor's gradients, their squares by way of d, and as much of Gauss–Newton as its rows make up."""
    ready, trace, owner, _ = trained
    given = []
    monkeypatch.setattr(newton, "newton_steps", lambda *some: given.append(some) or torch.zeros_like(some[0]))
    monkeypatch.setattr(newton, "DRAWS_PER_ROW", 20)

    effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner)

    sums, slower, drawn, whose, damping, way = given[0][:6]
    metric, points = trace.metric, points_along(trace, newton.POINTS)
    gradients, squares, fisher = torch.zeros_like(sums), torch.zeros(len(sums)), np.zeros(len(sums))
    for row, one in enumerate(owner):
        at = torch.stack([gradient_of(ready, row, point) for point in points]) * metric
        gradients[one] += at.mean(0)
        squares[one] += at.mean(0).square().sum()
        fisher[one] += np.mean([drawn_square(ready, row, point, metric) for point in points])
    assert torch.allclose(sums, gradients, rtol=1e-3, atol=1e-3 * float(gradients.abs().max()))
    assert torch.allclose(slower, slowness(gradients, squares, len(owner), trace.batch_size), rtol=1e-3)
    found = [float(drawn[whose == one].square().sum()) for one in range(len(sums))]
    assert found == pytest.approx(fisher, rel=0.15)
    assert damping == pytest.approx(len(owner) / trace.learning_rates.sum())
    assert torch.allclose(way * metric, trace.states[-1].theta - trace.states[0].theta, atol=1e-5)


def gradient_of(ready, row, point, train=None):
    """Of one row's loss, by autograd."""
    assign(ready.model.trainable(), point)
    loss = ready.model.row_losses((train or ready.train).collate([row])).sum()
    return torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(ready.model.trainable().values()))])


def drawn_square(ready, row, point, metric):
    """E‖∇‖² over the model's labels, token by token: the trace of the row's part of G. Eight draws stand for all."""
    assign(ready.model.trainable(), point)
    chance = torch.Generator().manual_seed(row)
    found = []
    for _ in range(8):
        drawn, tokens = draw(ready.model, ready.train.take([row]), chance)
        found.append(float(tokens[0] * (gradient_of(ready, 0, point, drawn) * metric).square().sum()))
    return np.mean(found)


def test_effects_are_those_of_retraining(trained):
    """Those who alone teach a topic are missed, one whose rows the others teach too is not."""
    ready, trace, owner, measured = trained

    found = effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner)

    assert np.corrcoef(found, measured)[0, 1] > 0.9
    # In so short a training of a random model Gauss–Newton holds no better.
    assert 0.5 < slope(found, measured) < 2.5
    assert np.abs(found - measured).mean() < 0.7 * np.abs(measured).mean()


def test_progress_is_made_all_along(trained):
    """A worker whose parent was killed finds out at its next word; most of the work is before the first step's end."""
    ready, trace, owner, _ = trained
    said = []

    effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner, lambda *one: said.append(one))

    gradients = len(owner) * (1 + newton.DRAWS_PER_ROW)
    assert said[0][0] < len(owner)
    assert said.count((gradients, gradients + len(ready.evaluation) * (owner.max() + 1))) == owner.max() + 2
    assert said == sorted(said)
    assert said[-1][0] == said[-1][1]


def test_the_model_is_left_at_the_traces_end(trained):
    """And the same comes out again, whatever it stood at before."""
    ready, trace, owner, _ = trained

    first = effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner)
    assert torch.equal(flatten(ready.model.trainable()), trace.states[-1].theta)
    assign(ready.model.trainable(), trace.states[0].theta)

    assert np.array_equal(effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner), first)


def test_fewer_draws_where_all_would_not_fit(trained, monkeypatch):
    """Gradients of many parameters: as many as the memory holds, which still stand for all rows."""
    ready, trace, owner, _ = trained
    full = effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner)

    monkeypatch.setattr(newton, "FLOATS", 120 * len(flatten(ready.model.trainable())))
    found = effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, owner)

    assert not np.array_equal(found, full)
    assert np.corrcoef(found, full)[0, 1] > 0.9


def test_names_change_nothing_but_the_order(trained):
    """The same rows under other positions."""
    ready, trace, owner, _ = trained
    last = owner.max()

    found, turned = (
        effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, one) for one in (owner, last - owner)
    )

    assert found == pytest.approx(turned[::-1], rel=1e-4)


def test_a_trace_of_other_rows_is_refused(trained):
    """Before anything is computed."""
    ready, trace, owner, _ = trained
    other = replace(trace, steps=[["row:elsewhere"], *trace.steps])

    with pytest.raises(AttributionError, match="row:elsewhere, which the dataset version does not hold"):
        effects_of_leaving_out(ready.model, ready.train, ready.evaluation, other, owner)


@pytest.mark.parametrize("count", [1, 5, 8, 9])
def test_half_of_a_gram_matrix_is_all_of_it(count: int, monkeypatch: pytest.MonkeyPatch):
    """What is computed by blocks and mirrored is the product, whether or not the last block is full."""
    monkeypatch.setattr(newton, "BLOCK", 4)
    rows = torch.randn(count, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    assert torch.allclose(newton.gram(rows), rows @ rows.T, rtol=1e-12)
