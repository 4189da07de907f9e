"""Replay's scores are minus the derivatives of a loss at the end by the rows' weights.

The witness is a training by a plain loop, in double precision, in which one row weighs a little more or less.
"""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient, slice_gradients
from tribute.errors import AttributionError
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.optimizers.adam import RootAdam
from tribute.finetuning.preparation.preparation import Prepared, prepare
from tribute.finetuning.recording.trace import Trace, assign
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

EVERY_STEP = 64
"""More states than twice the steps: then the spacing leaves no step out."""
CHANGE = 1e-4
"""Of a row's weight, in finite differences; so small that no curvature shows."""


@dataclass(frozen=True)
class Recorded:
    """A training and what is needed to replay it."""

    ready: Prepared
    trace: Trace
    clip: float

    def gradient(self):
        """Of the mean evaluation loss at the end, [1, parameters]."""
        self.go_to(-1)
        return evaluation_gradient(self.ready.model, self.ready.evaluation)[None]

    def go_to(self, state):
        assign(self.ready.model.trainable(), self.trace.states[state].theta)

    def scores(self, **changes):
        arguments = {"model": self.ready.model, "train": self.ready.train, "trace": self.trace}
        if "terminal_gradients" not in changes:
            arguments["terminal_gradients"] = self.gradient()
        return replay_scores(**(arguments | changes))


def record(dataset, config, scratch, **options):
    ready = prepare(dataset, config, scratch, 0)
    trace = train(ready.model, ready.train, config, 0, scratch / "own", **options).trace
    return Recorded(ready, trace, config.optimizer.clip)


@pytest.fixture(scope="module")
def sparse(dataset, bert, tmp_path_factory):
    """A classification training recorded at a few of its steps."""
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, epochs=3)
    return record(dataset, config, tmp_path_factory.mktemp("sparse"))


@pytest.fixture(scope="module")
def causal(dialogues, causal_config, tmp_path_factory):
    """A training of the causal model recorded at a few of its steps."""
    config = causal_config.model_copy(update={"trace_states": 6, "learning_rate": 3e-3})
    return record(dialogues, config, tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="module")
def whole(dataset, bert, tmp_path_factory):
    """A classification training in which an embedding is trained whole beside the adapters."""
    lora = {"target_modules": ["query", "dense"], "layers": [2], "modules_to_save": ["word_embeddings"]}
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, lora=lora)
    return record(dataset, config, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def tuned(dataset, bert, tmp_path_factory):
    """A classification training with decay, every step clipped, and other moments."""
    optimizer = {"beta1": 0.8, "beta2": 0.98, "eps": 3e-4, "weight_decay": 0.5, "clip": 0.15}
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, schedule="cosine", optimizer=optimizer)
    return record(dataset, config, tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="module")
def noisy(dataset, bert, tmp_path_factory):
    """A classification training with dropout."""
    lora = {"target_modules": ["query", "dense"], "layers": [1, 2], "dropout": 0.3}
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, lora=lora)
    return record(dataset, config, tmp_path_factory.mktemp("noisy"))


def loss_with(recorded, weights):
    """The mean evaluation loss after a training in which row i weighs weights[i]."""
    model, trace = deepcopy(recorded.ready.model), recorded.trace
    assign(model.trainable(), trace.states[0].theta)
    model.double()
    rows, evaluation = doubled(recorded.ready.train), doubled(recorded.ready.evaluation)
    position = {row_id: index for index, row_id in enumerate(rows.row_ids)}
    optimizer = RootAdam(model.trainable().values(), 0.0, trace.optimizer)
    for step, (rate, row_ids) in enumerate(zip(trace.learning_rates, trace.steps, strict=True)):
        chosen = [position[row_id] for row_id in row_ids]
        optimizer.zero_grad()
        own = torch.tensor(weights[chosen])
        ((own * model.row_losses(rows.collate(chosen, step))).sum() / trace.batch_size).backward()
        optimizer.param_groups[0]["lr"] = float(rate)
        if recorded.clip:
            torch.nn.utils.clip_grad_norm_(list(model.trainable().values()), recorded.clip)
        optimizer.step()
    return evaluate(model, evaluation).losses.mean()


def doubled(rows):
    """With the cached states, if there are any, in double precision."""
    return rows if rows.hidden is None else replace(rows, hidden=[states.double() for states in rows.hidden])


def slope(recorded, row):
    """Minus the derivative of the mean evaluation loss by a row's weight, by central differences."""
    weights = np.ones(len(recorded.ready.train))
    ends = []
    for weights[row] in (1 - CHANGE, 1 + CHANGE):
        ends.append(loss_with(recorded, weights))
    return (ends[0] - ends[1]) / (2 * CHANGE)


@pytest.mark.parametrize("task", ["sparse", "whole", "causal", "tuned", "noisy"])
def test_scores_are_what_finite_differences_give(request, task):
    """Within 2 %, for the rows that matter most: there the differences stand out from what Llama rounds in between."""
    recorded = request.getfixturevalue(task)
    scores = recorded.scores()[:, 0]
    chosen = np.argsort(-np.abs(scores))[:3]

    found = np.array([slope(recorded, row) for row in chosen])

    assert np.abs(found / scores[chosen] - 1).max() <= 0.02


def test_a_score_says_what_leaving_the_row_out_does(dataset, bert, sparse, tmp_path):
    """To first order: trained again without it, the loss ends higher by about the score of a row that helped."""
    scores = sparse.scores()[:, 0]
    chosen = np.argsort(scores)[[0, -1]]
    sparse.go_to(-1)
    full = evaluate(sparse.ready.model, sparse.ready.evaluation).losses.mean()
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, epochs=3)

    effects = []
    for row in chosen:
        without = record(dataset, config, tmp_path / str(row), dropped=frozenset({int(row)}))
        effects.append(evaluate(without.ready.model, without.ready.evaluation).losses.mean() - full)

    assert effects == pytest.approx(list(scores[chosen]), rel=0.25)


def test_several_scalars_at_once_are_what_each_gives_alone(sparse):
    """One column each; those of the slices add up to that of the mean loss."""
    sparse.go_to(-1)
    _, gradients = slice_gradients(sparse.ready.model, sparse.ready.evaluation)

    together = sparse.scores(terminal_gradients=gradients)

    alone = sparse.scores(terminal_gradients=gradients[1:2])[:, 0]
    assert np.allclose(together[:, 1], alone, rtol=1e-3, atol=1e-6 * np.abs(alone).max())
    assert np.allclose(together.sum(1), sparse.scores()[:, 0], rtol=1e-3, atol=1e-5 * np.abs(together).max())


@pytest.mark.parametrize("task", ["sparse", "causal"])
def test_rebuilt_states_do_as_well_as_recorded_ones(request, dataset, dialogues, bert, causal_config, tmp_path, task):
    """The same training recorded at every step gives the same scores."""
    recorded = request.getfixturevalue(task)
    version, config = {
        "sparse": (dataset, tiny.bert_config(bert, learning_rate=3e-3, epochs=3)),
        "causal": (dialogues, causal_config.model_copy(update={"learning_rate": 3e-3})),
    }[task]
    dense = record(version, config.model_copy(update={"trace_states": EVERY_STEP}), tmp_path)

    found, expected = recorded.scores(), dense.scores()

    assert len(recorded.trace.states) < len(dense.trace.states) == len(dense.trace.steps) + 1
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_steps_too_large_for_the_memory_give_the_same(sparse):
    """Their graphs are made twice instead of kept."""
    assert np.array_equal(sparse.scores(memory_mib=0), sparse.scores())


def test_a_row_that_was_never_trained_on_has_no_score(dataset, config, tmp_path):
    """Left out of the training, in the dataset all the same."""
    recorded = record(dataset, config, tmp_path, dropped=frozenset({3, 11}))

    found = recorded.scores()[:, 0]

    assert not found[[3, 11]].any()
    assert np.delete(found, [3, 11]).all()


def test_progress_runs_to_its_end(sparse):
    """It counts steps."""
    seen = []

    sparse.scores(progress=lambda done, total: seen.append((done, total)))

    total = len(sparse.trace.steps)
    assert seen == [(done, total) for done in range(1, total + 1)]


def one_line(refused):
    assert "\n" not in str(refused.value)


def test_another_adapters_trace_is_refused(dataset, bert, sparse, tmp_path):
    """One of another rank has other parameters; the first that differs is named."""
    lora = {"target_modules": ["query", "value", "dense"], "layers": [1, 2], "r": 2}
    other = prepare(dataset, tiny.bert_config(bert, lora=lora), tmp_path, 0)

    with pytest.raises(AttributionError, match=r"the trace and the adapter differ in .*lora_") as refused:
        sparse.scores(model=other.model)

    one_line(refused)


def test_rows_that_the_dataset_does_not_hold_are_refused(sparse):
    """The first one is named."""
    steps = [["nobody-1:7", *sparse.trace.steps[0]], *sparse.trace.steps[1:]]

    with pytest.raises(AttributionError, match="the trace saw row nobody-1:7, which the dataset version does not hold"):
        sparse.scores(trace=replace(sparse.trace, steps=steps))


def test_a_trace_of_another_training_is_refused(sparse):
    """What is rebuilt with other learning rates misses the recorded states."""
    changed = replace(sparse.trace, learning_rates=sparse.trace.learning_rates * 1.1)

    with pytest.raises(AttributionError, match=r"misses the recorded state of step .*delete the adapter") as refused:
        sparse.scores(trace=changed)

    one_line(refused)


def test_a_derivative_that_is_not_a_number_is_refused(sparse):
    """The message names the step and what to change."""
    with pytest.raises(AttributionError, match=r"step \d+ is not a number.*lower finetuning\.learning_rate") as refused:
        sparse.scores(terminal_gradients=sparse.gradient() * torch.nan)

    one_line(refused)
