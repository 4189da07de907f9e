"""The same seed gives the same bytes, undisturbed or not, and rows left out change nothing for the others."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import file_digests
from tribute.config import BaseConfig, FinetuningConfig, OptimizerConfig
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapters import adapter, adapter_job
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.optimizers.adam import Adam, RootAdam, adam_of
from tribute.finetuning.preparation.preparation import compute_device, prepare
from tribute.finetuning.recording.trace import load_trace
from tribute.finetuning.training.schedule import SCHEDULERS, learning_rates, schedule
from tribute.finetuning.training.training import last_checkpoint, train
from tribute.finetuning.workers import Folders

pytestmark = pytest.mark.numeric

STEPS = 12
"""Of the session's training: 48 rows, batches of 8, two epochs; a checkpoint every third."""


@st.composite
def trainings(draw):
    rows, batch_size = draw(st.integers(1, 60)), draw(st.integers(1, 16))
    config = FinetuningConfig(base=BaseConfig(package="any"), epochs=draw(st.integers(1, 3)), batch_size=batch_size)
    return rows, config, draw(st.integers(0, 9))


@given(trainings())
def test_an_epoch_sees_every_row_once(training):
    """Each epoch is a permutation of the rows, cut into batches of which only the last may be short."""
    rows, config, seed = training

    steps = schedule(rows, config, seed)
    each = -(-rows // config.batch_size)

    assert len(steps) == each * config.epochs
    for start in range(0, len(steps), each):
        epoch = steps[start : start + each]
        assert sorted(row for step in epoch for row in step) == list(range(rows))
        assert all(len(step) == config.batch_size for step in epoch[:-1])


def test_seeds_differ_in_their_order(config):
    """Another seed sees the rows in another order."""
    assert schedule(48, config, 0) != schedule(48, config, 1)


def trained(dataset, config, tmp_path, progress=ignore, seed=0):
    """The digests of the adapter folder of one training."""
    folder = tmp_path / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    adapter_job(dataset, config, seed, Folders(folder, tmp_path, tmp_path / "own"), progress)
    return file_digests(folder)


@pytest.fixture(scope="module")
def undisturbed(dataset, config, tmp_path_factory):
    """The digests of a training that nothing disturbed."""
    return trained(dataset, config, tmp_path_factory.mktemp("undisturbed"))


def test_the_same_seed_gives_the_same_bytes(dataset, config, tmp_path, undisturbed):
    """Adapter, evaluation, curve and trace of two trainings are equal; another seed's adapter and trace are not."""
    again = trained(dataset, config, tmp_path / "again")
    other = trained(dataset, config, tmp_path / "other", seed=1)

    assert again == undisturbed
    assert set(again) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "base.json",
        "curve.json",
        "evaluation.json",
        "losses.parquet",
        "rows.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "trace/states.safetensors",
        "trace/steps.parquet",
        "trace/trace.json",
    }
    assert again["adapter_model.safetensors"] != other["adapter_model.safetensors"]
    assert again["trace/steps.parquet"] != other["trace/steps.parquet"]


class PowerCutError(Exception):
    """The lights go out."""


def cut_at(step):
    def progress(done, total):
        if done == step:
            raise PowerCutError

    return progress


@pytest.mark.parametrize("step", [2, 8])
def test_an_interrupted_training_resumes_to_the_same_bytes(dataset, config, tmp_path, undisturbed, step):
    """Cut before or after a checkpoint and run again, it goes on from the last one and ends where it would have."""
    with pytest.raises(PowerCutError):
        trained(dataset, config, tmp_path, progress=cut_at(step))
    seen = []

    resumed = trained(dataset, config, tmp_path, progress=lambda done, total: seen.append(done))

    assert resumed == undisturbed
    assert seen == list(range((step - 1) // 3 * 3 + 1, STEPS + 1))


def test_a_checkpoint_cut_short_is_passed_over(dataset, config, tmp_path, undisturbed):
    """A kill while a checkpoint is being written costs the steps since the one before, no more."""
    with pytest.raises(PowerCutError):
        trained(dataset, config, tmp_path, progress=cut_at(5))
    whole, torn = tmp_path / "own" / "checkpoint-3", tmp_path / "own" / "checkpoint-6"
    shutil.copytree(whole, torn)
    (torn / "trainer_state.json").write_bytes((whole / "trainer_state.json").read_bytes()[:100])

    assert last_checkpoint(tmp_path / "own") == str(whole)
    assert trained(dataset, config, tmp_path) == undisturbed


def run(dataset, config, tmp_path, **options):
    ready = prepare(dataset, config, tmp_path, 0)
    return ready, train(ready.model, ready.train, config, 0, tmp_path / "own", **options)


def test_rows_left_out_leave_the_others_in_their_steps(dataset, config, tmp_path):
    """Trainings with and without some rows share their random numbers."""
    ready, full = run(dataset, config, tmp_path)
    dropped = frozenset(row for row, name in enumerate(ready.contributors) if name == "bob")
    gone = {ready.train.row_ids[row] for row in dropped}

    _, without = run(dataset, config, tmp_path, dropped=dropped)

    assert without.trace.steps == [[row for row in step if row not in gone] for step in full.trace.steps]
    assert without.trace.batch_size == full.trace.batch_size
    assert torch.equal(without.trace.states[0].theta, full.trace.states[0].theta)


def test_a_training_without_any_row_changes_nothing(dataset, config, tmp_path):
    """U(none) is the model as it was."""
    _, training = run(dataset, config, tmp_path, dropped=frozenset(range(48)))

    first, last = training.trace.states[0], training.trace.states[-1]
    assert torch.equal(first.theta, last.theta)
    assert all(point["loss"] == 0 for point in training.curve)


def test_a_steps_loss_is_the_sum_over_its_rows_divided_by_the_batch_size(dataset, config, tmp_path):
    """The curve's first point is the zero-shot loss of the first batch."""
    _, training = run(dataset, config, tmp_path / "a")
    ready = prepare(dataset, config, tmp_path / "b", 0)
    first = [list(ready.train.row_ids).index(row) for row in training.trace.steps[0]]

    with torch.no_grad():
        losses = ready.model.row_losses(ready.train.collate(first))

    assert training.curve[0]["loss"] == pytest.approx(float(losses.sum()) / 8, rel=1e-5)
    assert [point["step"] for point in training.curve] == list(range(STEPS))


def test_the_learning_rates_are_those_that_were_applied(dataset, config, tmp_path, monkeypatch):
    """What the trace says is what the optimiser used: up from 0 and back to 0, linearly."""
    config = config.model_copy(update={"warmup": 0.4})
    applied = []
    step = RootAdam.step
    monkeypatch.setattr(
        RootAdam, "step", lambda self, *a: (applied.append(self.param_groups[0]["lr"]), step(self, *a))[1]
    )

    _, training = run(dataset, config, tmp_path)

    assert np.allclose(applied, training.trace.learning_rates, rtol=1e-9)
    assert np.allclose(applied, learning_rates(config, STEPS))
    assert applied[0] == 0
    assert applied[int(0.4 * STEPS)] == max(applied) == config.learning_rate


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_a_short_training_moves(config, steps):
    """Its warm-up is rounded down, so that one step at least has the whole rate."""
    config = config.model_copy(update={"warmup": 0.9})

    assert learning_rates(config, steps).max() == config.learning_rate


def test_a_loss_that_is_not_a_number_stops_the_training(dataset, config, tmp_path):
    """The message names the step and the setting to change."""
    ready = prepare(dataset, config, tmp_path, 0)
    with torch.no_grad():
        next(iter(ready.model.trainable().values())).fill_(torch.nan)

    with pytest.raises(TrainingError, match=r"step 0: the loss is not a number; lower finetuning\.learning_rate"):
        train(ready.model, ready.train, config, 0, tmp_path / "own")


def test_the_curve_and_the_evaluation_agree_that_something_was_learned(dataset, config, tmp_path):
    """Words name the topics, so the loss falls."""
    trained(dataset, config, tmp_path)

    evaluation = json.loads((tmp_path / "adapter" / "evaluation.json").read_text())
    assert evaluation["loss"] < evaluation["before"]["loss"]


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_schedules_are_those_of_transformers(config, name):
    """What the trace says is what the trainer's scheduler does, at every step."""
    config = config.model_copy(update={"schedule": name, "warmup": 0.25})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], config.learning_rate)
    scheduler = get_scheduler(SCHEDULERS[name], optimizer, num_warmup_steps=5, num_training_steps=20)
    applied = []
    for _ in range(20):
        applied.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()

    assert np.allclose(learning_rates(config, 20), applied, rtol=1e-12, atol=0)


def test_the_config_asks_for_the_optimiser_it_names(config):
    """By default for Adam as it stands in adam.py."""
    changed = OptimizerConfig(beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.1, clip=2.0)

    assert adam_of(config) == Adam()
    assert adam_of(config.model_copy(update={"optimizer": changed})) == Adam(0.8, 0.9, 1e-3, 0.1)


def test_clipping_survives_an_interruption(dataset, config, tmp_path):
    """A resumed training knows the factors of the steps before its checkpoint, and leaves the same bytes."""
    clipped = config.model_copy(update={"optimizer": OptimizerConfig(clip=0.1, weight_decay=0.2)})
    whole = trained(dataset, clipped, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        trained(dataset, clipped, tmp_path / "cut", progress=cut_at(8))

    assert trained(dataset, clipped, tmp_path / "cut") == whole
    assert min(load_trace(tmp_path / "cut" / "adapter").clips) < 1


def test_gradient_checkpointing_gives_the_same_bytes(dialogues, causal_config, tmp_path):
    """On the CPU, where the second pass computes what the first one did."""
    saving = causal_config.model_copy(update={"gradient_checkpointing": True})

    plain, saved = trained(dialogues, causal_config, tmp_path / "a"), trained(dialogues, saving, tmp_path / "b")

    assert saved == plain


def test_a_micro_batch_holds_the_tokens_it_may(dialogues, causal_config, tmp_path, monkeypatch):
    """`tokens_at_once` bounds what is computed at once, and the losses stay the same but for rounding."""
    small = causal_config.model_copy(update={"tokens_at_once": 64})
    sizes = []
    losses = ResponseModel.row_losses

    def noted(self, batch):
        sizes.append(batch["input_ids"].numel())
        return losses(self, batch)

    monkeypatch.setattr(ResponseModel, "row_losses", noted)
    _, expected = run(dialogues, causal_config, tmp_path / "a")
    most = max(sizes)
    sizes.clear()

    _, found = run(dialogues, small, tmp_path / "b")

    assert max(sizes) <= 64 < most
    assert [point["loss"] for point in found.curve] == pytest.approx([p["loss"] for p in expected.curve], rel=1e-3)


@pytest.mark.parametrize("task", ["classes", "responses"])
def test_a_base_in_bfloat16_learns_in_float32(request, task, tmp_path):
    """Frozen weights take half the memory; what is trained, and the loss, stay in single precision."""
    names = {"classes": ("dataset", "config"), "responses": ("dialogues", "causal_config")}[task]
    version, settings = map(request.getfixturevalue, names)

    ready, training = run(version, settings.model_copy(update={"precision": "bfloat16"}), tmp_path)

    frozen = {value.dtype for value in ready.model.parameters() if not value.requires_grad}
    assert frozen == {torch.bfloat16}
    assert {value.dtype for value in ready.model.trainable().values()} == {torch.float32}
    assert ready.model.row_losses(ready.train.collate([0])).dtype == torch.float32
    assert training.curve[-1]["loss"] < training.curve[0]["loss"]


def test_a_gpu_that_is_not_there_is_refused(dataset, config, tmp_path, monkeypatch):
    """In one line, before anything is loaded; `auto` takes the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert compute_device(config.model_copy(update={"device": "auto"})) == "cpu"
    with pytest.raises(TrainingError, match=r"finetuning\.device: cuda, but torch sees no GPU on this machine"):
        prepare(dataset, config.model_copy(update={"device": "cuda"}), tmp_path, 0)


def test_a_training_is_not_resumed_on_another_device(dataset, config, tmp_path, monkeypatch):
    """What was saved on a CPU is found on a CPU, also by `auto`; on a GPU, whose sums differ, it begins anew."""

    def saved(device):
        return adapter(dataset, config.model_copy(update={"device": device}), 0).checkpoints(tmp_path)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cpu = saved("cpu")
    assert saved("auto") == cpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert saved("auto") == saved("cuda") != cpu
