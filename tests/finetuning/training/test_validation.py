"""A training with validation rows never sees them in a step, and its result is the step at which they fare best."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from tests.finetuning.helpers import tiny
from tests.finetuning.training.test_training import PowerCutError, cut_at, trained
from tribute.attribution.credit.inrun import in_run_credit
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.config import ValidationConfig
from tribute.errors import TrainingError
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.preparation.split import split
from tribute.finetuning.recording.trace import assign, flatten, load_trace
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

FIFTH = ValidationConfig(fraction=0.2, every=2)


@pytest.fixture(scope="module")
def overfitting(bert):
    """So many epochs at such a rate that the validation rows fare worse again before the end."""
    return tiny.bert_config(bert, validation={"fraction": 0.2, "every": 4}, epochs=20, learning_rate=1e-2)


@pytest.fixture(scope="module")
def watched(dataset, overfitting, tmp_path_factory):
    """What it was prepared from, and the training, recorded at every step."""
    every = overfitting.model_copy(update={"trace_states": 256})
    scratch = tmp_path_factory.mktemp("watched")
    ready = prepare(dataset, every, scratch, 0)
    training = train(ready.model, ready.train, every, 0, scratch / "own", validation=ready.validation)
    return ready, training


def losses_of(curve):
    return {point["step"] + 1: point["validation_loss"] for point in curve if "validation_loss" in point}


def test_a_fraction_of_the_rows_is_held_out(dataset, config, tmp_path):
    """In the same order as before; every row is trained on or held out, none both."""
    everything, nothing = split(dataset, None)
    rows, held_out = split(dataset, FIFTH)
    ready = prepare(dataset, config.model_copy(update={"validation": FIFTH}), tmp_path, 0)

    assert (len(everything), len(nothing), len(rows), len(held_out)) == (48, 0, 39, 9)
    merged = pd.concat([rows, held_out]).sort_values("content_sha256", ignore_index=True)
    pd.testing.assert_frame_equal(merged, everything)
    assert list(ready.train.row_ids) == list(rows["row_id"]) == list(TrainedRows.trained(dataset, FIFTH).row_ids)
    assert list(ready.validation.row_ids) == list(held_out["row_id"])
    assert ready.held_out == list(held_out["contributor_id"])


def test_no_name_decides_what_is_held_out(root, dataset):
    """Renamed contributors, whose rows come in another order, have the same rows held out."""
    renamed = tiny.make_dataset(root, names={"ada": "zoe", "dan": "abe"})

    assert set(split(dataset, FIFTH)[1]["text"]) == set(split(renamed, FIFTH)[1]["text"])


def test_a_row_more_draws_anew(root, dataset):
    """Nobody can write a row that is held out, or not, whatever the others write."""
    more = tiny.make_dataset(root, rows=49)

    assert set(split(dataset, FIFTH)[1]["text"]) != set(split(more, FIFTH)[1]["text"])


def test_validation_that_leaves_no_row_is_refused(root):
    """In one line."""
    with pytest.raises(TrainingError, match=r"finetuning\.validation: of 1 rows none is left to train on; contribute"):
        split(tiny.make_dataset(root, rows=1), FIFTH)


def test_named_contributions_are_held_out(dataset, config, tmp_path):
    """All of their rows, and no others; they are watched, not trained on."""
    named = ValidationConfig(contributions=("bob-1",), every=2)

    rows, held_out = split(dataset, named)
    ready = prepare(dataset, config.model_copy(update={"validation": named}), tmp_path, 0)

    assert set(held_out["contributor_id"]) == set(ready.held_out) == {"bob"}
    assert (len(rows), len(held_out), len(ready.train)) == (36, 12, 36)
    assert not set(ready.train.row_ids) & set(ready.validation.row_ids)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (("bob-1", "eve-1"), r"validation\.contributions: eve-1 has no row in the dataset version .* of ada-1, bob-1"),
        (("ada-1", "bob-1", "cyd-1", "dan-1"), "of 48 rows none is left to train on"),
    ],
)
def test_contributions_that_cannot_be_held_out_are_refused(dataset, named, message):
    """One that is not there, and all that there are."""
    with pytest.raises(TrainingError, match=message):
        split(dataset, ValidationConfig(contributions=named))


def test_rows_are_drawn_or_named_not_both():
    """The message names both keys."""
    with pytest.raises(ValueError, match="fraction and contributions both say which rows are held out"):
        ValidationConfig(fraction=0.1, contributions=("bob-1",))


def test_the_result_is_the_best_step(watched, overfitting):
    """Model and trace end where the validation loss was least, which here is not the end of the training."""
    ready, training = watched
    losses = losses_of(training.curve)
    best = min(losses, key=losses.get)

    assert list(losses) == list(range(4, 101, 4))
    assert best < len(training.curve) == 100
    assert len(training.trace.steps) == len(training.trace.learning_rates) == training.trace.states[-1].step == best
    assert torch.equal(flatten(ready.model.trainable()), training.trace.states[-1].theta)
    assert evaluate(ready.model, ready.validation).losses.mean() == pytest.approx(losses[best], rel=1e-6)
    assert not {row_id for step in training.trace.steps for row_id in step} & set(ready.validation.row_ids)


def test_patience_stops_a_training(dataset, overfitting, watched, tmp_path):
    """After so many evaluations without a lower loss; what was found best until then is the result."""
    patient = overfitting.validation.model_copy(update={"patience": 2})
    config = overfitting.model_copy(update={"validation": patient})
    ready = prepare(dataset, config, tmp_path, 0)

    training = train(ready.model, ready.train, config, 0, tmp_path / "own", validation=ready.validation)

    losses = list(losses_of(training.curve).values())
    assert losses == list(losses_of(watched[1].curve).values())[: len(losses)]
    assert len(training.curve) < 100
    assert int(np.argmin(losses)) == len(losses) - 3
    assert training.trace.states[-1].step == 4 * (len(losses) - 2)


def test_credits_explain_the_chosen_step(watched):
    """They sum to the fall of the loss up to it, and replay walks the same trace."""
    ready, training = watched
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))
    before = evaluate(prepare_again(ready, training), ready.evaluation).losses.mean()
    assign(ready.model.trainable(), training.trace.states[-1].theta)
    after = evaluate(ready.model, ready.evaluation).losses.mean()
    gradient = evaluation_gradient(ready.model, ready.evaluation)[None]

    credit = in_run_credit(ready.model, ready.train, ready.evaluation, weights, training.trace)
    scores = replay_scores(ready.model, ready.train, training.trace, gradient)

    assert credit.scores.sum() == pytest.approx(before - after, rel=0.03)
    assert len(scores) == len(ready.train)
    assert np.isfinite(scores).all()


def prepare_again(ready, training):
    """The model at the trace's start."""
    assign(ready.model.trainable(), training.trace.states[0].theta)
    return ready.model


@pytest.mark.parametrize("step", [3, 27])
def test_an_interrupted_training_chooses_the_same(dataset, overfitting, tmp_path, step):
    """Cut before or after evaluations that no checkpoint knows, it leaves the bytes of an undisturbed one."""
    whole = trained(dataset, overfitting, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        trained(dataset, overfitting, tmp_path / "cut", progress=cut_at(step))

    assert trained(dataset, overfitting, tmp_path / "cut") == whole
    folder = tmp_path / "cut" / "adapter"
    curve = json.loads((folder / "curve.json").read_text())["training"]
    assert load_trace(folder).states[-1].step == min(losses_of(curve), key=losses_of(curve).get)
    held_out = json.loads((folder / "rows.json").read_text())["validation"]
    assert held_out["rows"] == sum(held_out["held_out"].values()) == 9
    assert "9 rows (" in (folder / "README.md").read_text()
