"""The mean over all rows is the mean over slices weighted by their rows, and baselines know no training."""

import json
import math

import numpy as np
import pytest
import torch

from tests.finetuning.helpers.tiny import ignore
from tribute.errors import TrainingError
from tribute.finetuning.adapters import baselines_job
from tribute.finetuning.evaluation import RowResults, evaluate, evaluation_report
from tribute.finetuning.preparation import prepare
from tribute.finetuning.workers import Folders

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def ready(dataset, config, tmp_path_factory):
    """The base and its rows; read only."""
    return prepare(dataset, config, tmp_path_factory.mktemp("scratch"))


def test_every_row_is_evaluated_in_its_place(ready):
    """Chunks are sorted by length, results are not."""
    results = evaluate(ready.model, ready.evaluation)

    for row in (0, 7, 23):
        with torch.no_grad():
            loss, right = ready.model.row_results(ready.evaluation.collate([row]))
        assert results.losses[row] == pytest.approx(float(loss), rel=1e-4)
        assert results.right[row] == float(right)


def test_slices_add_up_to_the_whole(ready):
    """Loss and accuracy are means over rows, in each slice and in all."""
    before = evaluate(ready.model, ready.evaluation)
    after = RowResults(before.losses / 2, 1 - before.right)

    report = evaluation_report(before, after, ready.evaluation)

    slices = report["slices"].values()
    assert report["rows"] == sum(part["rows"] for part in slices) == 24
    for name in ("loss", "accuracy"):
        assert sum(part["rows"] * part[name] for part in slices) / 24 == pytest.approx(report[name])
    assert report["before"]["loss"] == pytest.approx(2 * report["loss"])


def test_a_loss_that_is_not_a_number_names_its_row(ready):
    """The first such row and the setting to change."""
    rows = ready.evaluation.take(range(3))
    rows.hidden[1] = rows.hidden[1] * torch.nan

    with pytest.raises(TrainingError, match=rf"evaluation row {rows.row_ids[1]}: the loss is not a number; lower"):
        evaluate(ready.model, rows)


def test_baselines_of_a_classifier(dataset, config, ready, tmp_path):
    """Zero-shot is the untrained model, the majority knows the labels' frequencies only, the probe beats it."""
    baselines_job(dataset, config, Folders(tmp_path, tmp_path / "scratch", tmp_path / "own"), ignore)

    found = json.loads((tmp_path / "baselines.json").read_text())
    assert found["zero_shot"] == pytest.approx(evaluate(ready.model, ready.evaluation).summary(), rel=1e-4)
    assert found["linear_probe"]["loss"] < found["majority"]["loss"]
    train, truth = np.array(ready.train.targets), np.array(ready.evaluation.targets)
    shares = np.bincount(train) / len(train)
    assert found["majority"]["loss"] == pytest.approx(-np.log(shares[truth]).mean())
    assert found["majority"]["accuracy"] == pytest.approx((truth == shares.argmax()).mean())


def test_baselines_of_a_causal_model(dialogues, causal_config, llama, tmp_path):
    """Only zero-shot makes sense; a random model is about as good as guessing among all tokens."""
    vocabulary = json.loads((llama / "config.json").read_text())["vocab_size"]

    baselines_job(dialogues, causal_config, Folders(tmp_path, tmp_path / "scratch", tmp_path / "own"), ignore)

    found = json.loads((tmp_path / "baselines.json").read_text())
    assert set(found) == {"zero_shot"}
    assert found["zero_shot"]["loss"] == pytest.approx(math.log(vocabulary), rel=0.2)
