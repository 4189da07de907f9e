"""A training that several processes share is the training of one: the same steps, and gradients but for rounding."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest

from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tests.finetuning.training.test_training import PowerCutError, cut_at
from tribute.artifacts import Store
from tribute.attribution.credit.inrun import in_run_credit
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapters import adapter, retraining
from tribute.finetuning.children import run_child
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.ranks import Rank, current, from_main, join
from tribute.finetuning.recording.trace import load_trace
from tribute.finetuning.training import trainer

pytestmark = pytest.mark.numeric

SETTINGS = {
    "clip, dropout, validation": {
        "optimizer": {"clip": 0.5},
        "lora": {"r": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"], "dropout": 0.1},
        "validation": {"fraction": 0.2, "every": 3},
    },
    "packing": {"packing": True},
}


def made(dialogues, config, root, processes):
    """The adapter, as `tribute finetune` makes it."""
    recipe = adapter(dialogues, config.model_copy(update={"processes": processes}), 0)
    return recipe.make(Store(root / "store"), root / "scratch", ignore)


def shares(dialogues, config, adapter_, root):
    """Each contributor's part of the credit along the adapter's trace."""
    trace = load_trace(adapter_.path)
    ready = prepare(dialogues, config, root, trace.seed)
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))
    credit = in_run_credit(ready.model, ready.train, ready.evaluation, weights, trace)
    rows = pd.Series(credit.scores.sum(1), index=ready.contributors)
    return credit, rows.groupby(level=0).sum() / rows.sum()


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_train_what_one_trains(dialogues, llama, tmp_path, name):
    """Adapter, trace and shares are the same but for rounding; and one process alone recorded them."""
    config = tiny.llama_config(llama, **SETTINGS[name])

    alone, shared = (made(dialogues, config, tmp_path / str(count), count) for count in (1, 2))

    (credit, expected), (walked, found) = (shares(dialogues, config, it, tmp_path) for it in (alone, shared))
    assert np.abs(found - expected).sum() < 1e-4
    assert walked.drift < 2 * max(credit.drift, 1e-3)
    one, two = load_trace(alone.path), load_trace(shared.path)
    assert two.steps == one.steps
    assert [state.step for state in two.states] == [state.step for state in one.states]
    assert np.allclose(two.clips, one.clips, rtol=1e-4)
    for before, after in zip(one.states, two.states, strict=True):
        assert np.allclose(before.theta, after.theta, atol=1e-5)
    curves = [json.loads((it.path / "curve.json").read_text())["training"] for it in (alone, shared)]
    assert [point.keys() for point in curves[1]] == [point.keys() for point in curves[0]]
    for key in ("loss", "validation_loss"):
        values = [[point[key] for point in curve if key in point] for curve in curves]
        assert np.allclose(*values, rtol=1e-4)
    assert alone.id != shared.id


def test_an_interrupted_training_of_two_resumes_to_the_same_bytes(dialogues, causal_config, tmp_path):
    """From the main process's checkpoint, which both take."""
    # So long that it does not end by itself before it is cut.
    config = causal_config.model_copy(update={"processes": 2, "epochs": 40})
    whole = adapter(dialogues, config, 0).make(Store(tmp_path / "whole"), tmp_path / "scratch", ignore)
    recipe, store, steps = adapter(dialogues, config, 0), Store(tmp_path / "cut"), len(load_trace(whole.path).steps)
    with pytest.raises(PowerCutError):
        recipe.make(store, tmp_path / "cut-scratch", cut_at(steps // 2))
    seen = []

    resumed = recipe.make(store, tmp_path / "cut-scratch", lambda done, total: seen.append(done))

    assert resumed.id == whole.id
    assert 1 < seen[0] < steps


def test_a_retraining_is_shared_too(dialogues, causal_config, tmp_path):
    """Also where a rank has no row in a step, because the row was left out."""
    kept = ["ada-1:0", "bob-1:1", "cyd-1:2"]
    losses = [
        retraining(dialogues, causal_config.model_copy(update={"processes": count}), 0, kept)
        .make(Store(tmp_path / str(count)), tmp_path / "scratch", ignore)
        .json("evaluation.json")["loss"]
        for count in (1, 2)
    ]

    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize("count", [2, 3])
def test_every_row_of_a_step_is_one_ranks(dialogues, causal_config, tmp_path, monkeypatch, count):
    """No row is left, none is taken twice, and no rank has two rows more than another."""
    rows = prepare(dialogues, causal_config, tmp_path).train
    step = [5, 2, 17, 40, 3, 8, 21]

    parts = []
    for number in range(count):
        monkeypatch.setattr(trainer, "current", lambda number=number: Rank(number, count, tmp_path))
        parts.append(trainer.own_rows(rows, step))

    assert sorted(row for part in parts for row in part) == sorted(step)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def meet(how, progress):
    """The second rank fails before the others hear of it."""
    join("cpu")
    if current().number == 1:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise TrainingError("row ada-1:3 has no token")
    return from_main(lambda: "nothing wrong") + from_main(lambda: "")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("killed", r"^fine-tune, seed 3: a process was killed \(out of memory\?\)"),
        ("refused", r"^row ada-1:3 has no token$"),
    ],
)
def test_one_rank_that_fails_ends_all(how, message):
    """With what it said, not with what the others say of the lost connection."""
    with pytest.raises(TrainingError, match=message):
        run_child(meet, how, title="fine-tune, seed 3", timeout_seconds=100, progress=ignore, processes=3)
