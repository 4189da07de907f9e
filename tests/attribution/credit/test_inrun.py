"""Credit is what each row's part of Adam's applied updates did to the evaluation loss.

The updates are Σ_i Δ_it, exactly, so credits −Σ_t ē_t·Δ_it sum to the path integral of the evaluation
gradient, which is the fall of the loss. A plain walk forwards, one row at a time by autograd, is the witness
for the walk backwards.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.credit import inrun
from tribute.attribution.credit.inrun import in_run_credit
from tribute.errors import AttributionError
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.preparation.preparation import Prepared, prepare
from tribute.finetuning.recording.trace import Trace, assign, flatten
from tribute.finetuning.recording.trace_states import State
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

EVERY_STEP = 64
"""More states than twice the steps: then the spacing leaves no step out."""


@dataclass(frozen=True)
class Recorded:
    """A training and what is needed to walk it again."""

    ready: Prepared
    trace: Trace
    clip: float

    def credit(self, **changes):
        sample = self.ready.evaluation
        arguments = {
            "model": self.ready.model,
            "train": self.ready.train,
            "sample": sample,
            "weights": np.full(len(sample), 1 / len(sample)),
            "trace": self.trace,
        }
        return in_run_credit(**(arguments | changes))


def record(dataset, config, scratch, **options):
    ready = prepare(dataset, config, scratch, 0)
    trace = train(ready.model, ready.train, config, 0, scratch / "own", **options).trace
    return Recorded(ready, trace, config.optimizer.clip)


@pytest.fixture(scope="module")
def dense(dataset, config, tmp_path_factory):
    """A training recorded at every step."""
    every = config.model_copy(update={"trace_states": EVERY_STEP, "learning_rate": 1e-3})
    return record(dataset, every, tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="module")
def sparse(dataset, bert, tmp_path_factory):
    """A training recorded at a few of its steps."""
    config = tiny.bert_config(bert, trace_states=6, learning_rate=3e-3, epochs=3)
    return record(dataset, config, tmp_path_factory.mktemp("sparse"))


@pytest.fixture(scope="module")
def causal(dialogues, causal_config, tmp_path_factory):
    """A training of the causal model recorded at every step."""
    every = causal_config.model_copy(update={"trace_states": EVERY_STEP, "learning_rate": 3e-3})
    return record(dialogues, every, tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="module")
def whole(dialogues, llama, tmp_path_factory):
    """A training of LoRA and of a whole embedding and a whole head, recorded at every step."""
    lora = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]}
    every = tiny.llama_config(llama, lora=lora, trace_states=EVERY_STEP, learning_rate=1e-3)
    return record(dialogues, every, tmp_path_factory.mktemp("whole"))


SETTINGS = {
    "schedule": "cosine",
    "optimizer": {"beta1": 0.8, "beta2": 0.98, "eps": 3e-4, "weight_decay": 0.5, "clip": 1.2},
}
"""Nothing as it is by default; the clip cuts some steps and not others."""


@pytest.fixture(scope="module")
def tuned(dataset, bert, tmp_path_factory):
    """A training whose every setting enters the updates, recorded at every step."""
    every = tiny.bert_config(bert, trace_states=EVERY_STEP, learning_rate=3e-3, **SETTINGS)
    return record(dataset, every, tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="module")
def noisy(dialogues, llama, tmp_path_factory):
    """A training with dropout, and ranks that differ by layer, recorded at every step."""
    lora = {"target_modules": ["q_proj", "down_proj"], "rank_pattern": {"q_proj": 2}, "dropout": 0.3}
    every = tiny.llama_config(llama, lora=lora, trace_states=EVERY_STEP, learning_rate=3e-3)
    return record(dialogues, every, tmp_path_factory.mktemp("noisy"))


def parts_of_updates(recorded):
    """Every row's part of every applied update, and after them decay's, by plain autograd.

    Float64 [steps, rows + 1, parameters].
    """
    model, rows, trace = recorded.ready.model, recorded.ready.train, recorded.trace
    parameters = model.trainable()
    position = {row_id: index for index, row_id in enumerate(rows.row_ids)}
    theta = trace.states[0].theta.double()
    momenta, second = torch.zeros(len(rows), len(theta), dtype=torch.float64), torch.zeros_like(theta)
    updates = []
    for step, row_ids in enumerate(trace.steps):
        assign(parameters, theta.float())
        parts = torch.zeros_like(momenta)
        for row in (position[row_id] for row_id in row_ids):
            loss = model.row_losses(rows.collate([row], step)).sum() / trace.batch_size
            own = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, list(parameters.values()))])
            parts[row] += own
        clip = min(1.0, recorded.clip / float(parts.sum(0).norm())) if recorded.clip else 1.0
        gradient = clip * parts.sum(0)
        momenta = trace.optimizer.beta1 * momenta + (1 - trace.optimizer.beta1) * clip * parts
        second = trace.optimizer.beta2 * second + (1 - trace.optimizer.beta2) * gradient**2
        root = (second / (1 - trace.optimizer.beta2 ** (step + 1)) + trace.optimizer.eps**2).sqrt()
        rate = trace.learning_rates[step] / (1 - trace.optimizer.beta1 ** (step + 1))
        decay = -trace.learning_rates[step] * trace.optimizer.weight_decay * theta
        updates.append(torch.cat([-rate * momenta / root, decay[None]]))
        theta = theta + updates[-1].sum(0)
    return torch.stack(updates)


def evaluation_gradients(recorded):
    """The gradient of the mean evaluation loss at every recorded state, float64 [states, parameters]."""
    model, rows = recorded.ready.model, recorded.ready.evaluation
    gradients = []
    for state in recorded.trace.states:
        assign(model.trainable(), state.theta)
        total = torch.zeros_like(state.theta)
        for chunk in rows.chunks(range(len(rows))):
            loss = model.row_losses(rows.collate(chunk)).sum() / len(rows)
            total += flatten(dict(enumerate(torch.autograd.grad(loss, list(model.trainable().values())))))
        gradients.append(total.double())
    return torch.stack(gradients)


def halfway(recorded):
    """The same with the points halfway between its states."""
    states = recorded.trace.states
    middles = [State(a.step, {"theta": (a.theta + b.theta) / 2}.__getitem__) for a, b in pairwise(states)]
    return replace(recorded, trace=replace(recorded.trace, states=middles))


@pytest.fixture(scope="module", params=["dense", "tuned", "noisy"])
def forwards(request):
    """A training and its `parts_of_updates`."""
    recorded = request.getfixturevalue(request.param)
    return recorded, parts_of_updates(recorded)


def test_the_parts_sum_to_the_way_from_start_to_end(forwards):
    """The decomposition is exact: nothing that was applied is left over, and nothing is counted twice."""
    recorded, updates = forwards
    way = (recorded.trace.states[-1].theta - recorded.trace.states[0].theta).double()

    assert float((updates.sum((0, 1)) - way).norm() / way.norm()) < 1e-3


def test_walking_backwards_gives_what_walking_forwards_gives(forwards, monkeypatch):
    """The credit of every row, and of decay, is −Σ_t ē_t·Δ_it, with the mean gradient of the piece of a step."""
    recorded, updates = forwards
    monkeypatch.setattr(inrun, "PIECES", len(recorded.trace.steps))
    gradients, middles = evaluation_gradients(recorded), evaluation_gradients(halfway(recorded))
    between = (gradients[1:] + 4 * middles + gradients[:-1]) / 6
    *expected, decay = -torch.einsum("srp,sp->r", updates, between).numpy()

    credit = recorded.credit()

    found = credit.scores.sum(1)
    assert credit.weight_decay == pytest.approx(decay, rel=2e-3)
    assert np.corrcoef(found, expected)[0, 1] > 0.9999
    assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()


def test_clipping_is_recorded_and_decay_is_no_rows(tuned):
    """Some steps were clipped, others not; what decay did is a part of the fall that the rows' credits do not hold."""
    found = tuned.credit()

    assert 0 < min(tuned.trace.clips) < max(tuned.trace.clips) == 1
    fall = found.losses[0] - found.losses[-1]
    assert found.weight_decay != 0
    assert found.scores.sum() + found.weight_decay == pytest.approx(fall, rel=0.01)


@pytest.mark.parametrize("task", ["dense", "causal", "whole", "noisy"])
def test_credits_sum_to_the_fall_of_the_loss(request, task):
    """Within 1 %: what the quadrature aims at."""
    recorded = request.getfixturevalue(task)

    found = recorded.credit()

    fall = found.losses[0] - found.losses[-1]
    assert (found.steps[0], found.steps[-1]) == (0, len(recorded.trace.steps))
    assert fall > 0
    assert found.scores.sum() == pytest.approx(fall, rel=0.01)


@pytest.mark.parametrize("pieces", [1, 3])
def test_few_looks_at_the_evaluation_give_the_same_sum(dense, monkeypatch, pieces):
    """Simpson's rule on the straight way: the sum is right to a percent however long the pieces are."""
    monkeypatch.setattr(inrun, "PIECES", pieces)

    found = dense.credit()

    assert found.scores.sum() == pytest.approx(found.losses[0] - found.losses[-1], rel=0.01)
    assert np.corrcoef(found.scores.sum(1), dense.credit().scores.sum(1))[0, 1] > 0.8


def test_a_piece_that_misses_the_fall_is_halved(dense, monkeypatch):
    """As long as there are recorded states between; the tolerance decides, not their number."""
    monkeypatch.setattr(inrun, "PIECES", 1)
    coarse = dense.credit()
    monkeypatch.setattr(inrun, "TOLERANCE", 1e-9)

    fine = dense.credit()

    assert len(fine.losses) == len(dense.trace.states)
    assert len(coarse.losses) < len(fine.losses)


def test_the_losses_are_those_of_the_recorded_states(dense):
    """The curve of the sample, here the whole evaluation, ends where the evaluation of the adapter does."""
    found = dense.credit()

    assign(dense.ready.model.trainable(), dense.trace.states[-1].theta)
    assert found.losses[-1] == pytest.approx(
        evaluate(dense.ready.model, dense.ready.evaluation).losses.mean(), rel=1e-5
    )


def test_slices_split_a_rows_credit(dense):
    """A sample of one slice alone gives that slice's column, scaled by its weight."""
    found = dense.credit()
    only = [row for row, name in enumerate(dense.ready.evaluation.slices) if name == "drawing"]
    weights = np.full(len(only), 1 / len(dense.ready.evaluation))

    alone = dense.credit(sample=dense.ready.evaluation.take(only), weights=weights)

    assert found.slices == ["algebra", "drawing", "networks"]
    assert alone.slices == ["drawing"]
    assert np.allclose(alone.scores[:, 0], found.scores[:, 1], rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("task", ["dense", "sparse", "causal", "noisy"])
def test_the_walk_backwards_meets_the_recorded_states(request, task):
    """Each recorded state is rebuilt from the next one but for rounding."""
    assert request.getfixturevalue(task).credit().drift < 0.005


def test_a_row_that_was_never_trained_on_has_no_credit(dataset, config, tmp_path):
    """Left out of the training, in the dataset all the same."""
    recorded = record(dataset, config, tmp_path, dropped=frozenset({3, 11}))

    found = recorded.credit().scores

    assert not found[[3, 11]].any()
    assert np.delete(found, [3, 11], axis=0).any(axis=1).all()


def test_progress_runs_to_its_end(sparse):
    """It counts steps."""
    seen = []

    sparse.credit(progress=lambda done, total: seen.append((done, total)))

    total = len(sparse.trace.steps)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def one_line(refused):
    assert "\n" not in str(refused.value)


def test_another_adapters_trace_is_refused(dataset, bert, sparse, tmp_path):
    """One of another rank has other parameters; the first that differs is named."""
    lora = {"target_modules": ["query", "value", "dense"], "layers": [1, 2], "r": 2}
    other = prepare(dataset, tiny.bert_config(bert, lora=lora), tmp_path, 0)

    with pytest.raises(AttributionError, match=r"the trace and the adapter differ in .*lora_") as refused:
        sparse.credit(model=other.model)

    one_line(refused)


def test_states_of_another_training_are_refused(dataset, bert, sparse, tmp_path):
    """A trace put together from two trainings does not hang together."""
    changed = tiny.bert_config(bert, trace_states=6, learning_rate=2e-3, epochs=3)
    other = record(dataset, changed, tmp_path)
    mixed = [*sparse.trace.states[:-1], other.trace.states[-1]]

    with pytest.raises(AttributionError, match="misses the recorded state of step") as refused:
        sparse.credit(trace=replace(sparse.trace, states=mixed))

    one_line(refused)


@pytest.mark.parametrize("factor", [0.5, 1.1, 2.0])
def test_a_changed_learning_rate_is_refused(dense, sparse, factor):
    """The recorded updates were not made with it."""
    for recorded in (dense, sparse):
        changed = replace(recorded.trace, learning_rates=recorded.trace.learning_rates * factor)

        with pytest.raises(AttributionError, match=r"do not belong together \(delete the adapter") as refused:
            recorded.credit(trace=changed)

        one_line(refused)


def test_rows_with_foreign_content_are_refused(dense, sparse):
    """The same ids, but other words behind them: the walk does not come back to where it started, or is lost."""
    for recorded in (dense, sparse):
        rows = recorded.ready.train
        shifted = replace(rows, hidden=[*rows.hidden[1:], rows.hidden[0]], tokens=[*rows.tokens[1:], rows.tokens[0]])

        with pytest.raises(AttributionError, match="do not belong together"):
            recorded.credit(train=shifted)


def test_rows_that_the_dataset_does_not_hold_are_refused(sparse):
    """The first one is named."""
    steps = [["nobody-1:7", *sparse.trace.steps[0]], *sparse.trace.steps[1:]]

    with pytest.raises(AttributionError, match="the trace saw row nobody-1:7, which the dataset version does not hold"):
        sparse.credit(trace=replace(sparse.trace, steps=steps))


def test_another_base_is_refused(dataset, sparse, tmp_path):
    """Its layers have the same shapes; its gradients differ, and the walk is lost."""
    config = tiny.bert_config(tiny.write_bert(tmp_path / "other", seed=1))
    other = prepare(dataset, config, tmp_path / "scratch", 0)

    with pytest.raises(AttributionError, match="do not belong together"):
        sparse.credit(model=other.model, train=other.train, sample=other.evaluation)


def test_a_loss_that_is_not_a_number_is_refused(sparse):
    """Training refuses such a loss, so rows that give one are not the recorded ones."""
    rows = sparse.ready.train
    broken = replace(rows, hidden=[hidden * torch.nan for hidden in rows.hidden])

    with pytest.raises(AttributionError, match="do not belong together"):
        sparse.credit(train=broken)


def test_an_evaluation_loss_that_is_not_a_number_is_refused(sparse):
    """The step is named: a credit would not be a number either."""
    sample = sparse.ready.evaluation
    broken = replace(sample, hidden=[hidden * torch.nan for hidden in sample.hidden])

    with pytest.raises(AttributionError, match=r"step \d+: the evaluation loss is not a number") as refused:
        sparse.credit(sample=broken)

    one_line(refused)
