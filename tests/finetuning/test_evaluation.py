"""The mean over all rows is the mean over slices weighted by their rows, and baselines know no training."""

import json
import math

import numpy as np
import pytest
import torch

from tests.finetuning.helpers.tiny import ignore, make_adapter
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapter_folder import GENERATIONS
from tribute.finetuning.adapters.adapters import baselines_job
from tribute.finetuning.evaluation import RowResults, evaluate, evaluation_report
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.models.lora import load_adapter
from tribute.finetuning.preparation.preparation import build_model, prepare, training_inputs
from tribute.finetuning.preparation.task_types import task_type
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


def test_perplexity_and_token_accuracy_are_over_tokens(dialogues, causal_config, tmp_path):
    """Counted token by token from the model's own logits, whatever the rows' lengths; a slice counts its rows alone."""
    ready = prepare(dialogues, causal_config, tmp_path)
    rows = ready.evaluation
    nats, right, whole = [], [], []
    for row in range(len(rows)):
        batch = rows.collate([row])
        with torch.no_grad():
            probabilities = ready.model.network(batch["input_ids"]).logits[0, :-1].log_softmax(-1)
        learned = batch["labels"][0, 1:] != -100
        targets = batch["labels"][0, 1:][learned]
        nats.append(-probabilities[learned].gather(1, targets[:, None])[:, 0].numpy())
        right.append((probabilities[learned].argmax(-1) == targets).float().numpy())
        whole.append(bool(right[-1].all()))

    results = evaluate(ready.model, rows)
    report = evaluation_report(results, results, rows)

    assert report["perplexity"] == pytest.approx(math.exp(np.concatenate(nats).mean()), rel=1e-5)
    assert report["token_accuracy"] == pytest.approx(np.concatenate(right).mean())
    assert report["exact_match"] == report["accuracy"] == pytest.approx(np.mean(whole))
    for name, part in report["slices"].items():
        chosen = [row for row, slice_ in enumerate(rows.slices) if slice_ == name]
        assert part["perplexity"] == pytest.approx(
            math.exp(np.concatenate([nats[row] for row in chosen]).mean()), rel=1e-5
        )
    assert report["before"]["perplexity"] == report["perplexity"]


@pytest.mark.parametrize("task", ["dataset", "dialogues"])
def test_prompts_of_the_config_are_answered_before_and_after(task, root, request):
    """The base's answers first, then the adapter's; the trained bytes and the other artifacts' keys stay."""
    rows, plain = (request.getfixturevalue(name) for name in (task, {"dataset": "config"}.get(task, "causal_config")))
    asked = plain.model_copy(update={"prompts": ("matrix vector kernel", "socket server")})

    adapter = make_adapter(root, rows, asked, 0)

    written = adapter.json(GENERATIONS)
    assert written["prompt"] == list(asked.prompts)
    without = make_adapter(root, rows, plain, 0)
    weights = "adapter_model.safetensors"
    assert adapter.identity["files"][weights] == without.identity["files"][weights]
    assert not without.file(GENERATIONS).exists()
    model, kind = build_model(rows, plain), task_type(rows)
    tokenizer = load_tokenizer(base_folder(plain.base))
    assert list(kind.answers(model, asked.prompts, tokenizer, plain).iloc[:, 0]) == written["before"]
    load_adapter(model, adapter.path)
    assert list(kind.answers(model, asked.prompts, tokenizer, plain).iloc[:, 0]) == written["after"]
    assert training_inputs(rows, asked) == training_inputs(rows, plain)


def test_a_prompt_without_room_for_an_answer_is_refused(dialogues, causal_config):
    """The base has 64 positions."""
    model = build_model(dialogues, causal_config)
    tokenizer = load_tokenizer(base_folder(causal_config.base))

    with pytest.raises(TrainingError, match="leaves no room in the base's 64 positions"):
        task_type(dialogues).answers(model, ["matrix " * 200], tokenizer, causal_config)


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
