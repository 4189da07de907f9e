"""An explanation says which rows and contributors moved an answer, for labels and for responses."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import Store
from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import Question, answer_job, intervals, parse_question
from tribute.attribution.answers.index_artifact import INDEX, index_job
from tribute.attribution.gradients import curvature
from tribute.errors import AttributionError, ConfigError, TrainingError
from tribute.finetuning.workers import Folders

pytestmark = pytest.mark.numeric

TASKS = ("sequence-classification", "causal-lm")
LABELS = {"task": "sequence-classification", "tag": "tiny@v1.0.0", "labels": ["algebra", "drawing"]}
RESPONSES = {"task": "causal-lm", "tag": "tiny@v1.0.0", "labels": []}
PICKED = Damping(30.0, 1.0, 0.5, 8)


@pytest.fixture(scope="module", params=TASKS)
def trained(request, tmp_path_factory):
    """Dataset, two adapters, their indexes and the config; read only."""
    causal = request.param == "causal-lm"
    dataset = request.getfixturevalue("dialogues" if causal else "dataset")
    config = request.getfixturevalue("causal_config" if causal else "config").model_copy(update={"epochs": 6})
    root = tmp_path_factory.mktemp("workspace")
    patch = pytest.MonkeyPatch()
    patch.setattr(curvature, "SAMPLES", (256, 512))
    adapters, indexes = [], []
    for seed in (0, 1):
        adapter = tiny.make_adapter(root, dataset, config, seed)

        def build(folder, adapter=adapter, seed=seed):
            index_job(dataset, adapter, config, PICKED, Folders(folder, root / "scratch", root / f"own-{seed}"), ignore)

        adapters.append(adapter)
        indexes.append(Store(root).make(INDEX, {"adapter": adapter.id}, {}, build))
    patch.undo()
    return dataset, adapters, indexes, config


def test_rows_of_the_same_answer_made_it_more_probable(trained):
    """On average, rows that teach the answer have higher scores than those that teach another, with either seed."""
    dataset, _, _, _ = trained
    train = pd.read_parquet(dataset.file("train.parquet"))
    question = Question(train["text"][0], train["target"][0])

    moved = answer_job(*trained, question, ignore)

    same = (train["target"] == train["target"][0]).to_numpy()
    assert moved.rows.shape == (2, len(train))
    assert (moved.rows[:, same].mean(1) > 0).all()
    assert (moved.rows[:, same].mean(1) > moved.rows[:, ~same].mean(1)).all()


def test_contributors_are_their_rows_added_up(trained):
    """But for what the index rounds and leaves out."""
    dataset, _, _, _ = trained
    train = pd.read_parquet(dataset.file("train.parquet"))
    question = Question(train["text"][5], train["target"][5])

    moved = answer_job(*trained, question, ignore)

    names = sorted(set(train["contributor_id"]))
    added = np.stack([moved.rows[:, train["contributor_id"] == name].sum(1) for name in names], axis=1)
    assert np.allclose(added, moved.contributors, atol=0.1 * np.abs(moved.contributors).max())


def test_the_loss_is_the_answers(trained):
    """What the training's own evaluation gives for the same row."""
    dataset, adapters, _, _ = trained
    evaluation = pd.read_parquet(dataset.file("evaluation.parquet"))

    moved = answer_job(*trained, Question(evaluation["text"][4], evaluation["target"][4]), ignore)

    recorded = [pd.read_parquet(adapter.file("losses.parquet"))["loss"][4] for adapter in adapters]
    assert moved.losses == pytest.approx(recorded, rel=1e-3)


def test_the_predicted_label_is_taken_where_none_is_given(trained):
    """And a label of one's own is known to be another; a response is never predicted."""
    dataset, _, _, _ = trained
    row = pd.read_parquet(dataset.file("train.parquet")).iloc[0]
    if row["target"] not in tiny.TOPICS:
        assert answer_job(*trained, Question(row["text"], row["target"]), ignore).predicted is None
        return

    predicted = answer_job(*trained, Question(row["text"], None), ignore)
    other = next(label for label in tiny.TOPICS if label != predicted.answer)

    assert predicted.predicted is True
    assert answer_job(*trained, Question(row["text"], predicted.answer), ignore).predicted is True
    assert answer_job(*trained, Question(row["text"], other), ignore).predicted is False
    assert predicted.losses.mean() < math.log(3)


@pytest.mark.parametrize(
    ("facts", "arguments", "message"),
    [
        (LABELS, ("", None, None), "--text is empty"),
        (LABELS, ("caf\udce9", None, None), "--text is not UTF-8"),
        (RESPONSES, ("what", "caf\udce9", None), "--response is not UTF-8"),
        (LABELS, ("what", None, "cooking"), "has no label 'cooking'; known are algebra, drawing"),
        (LABELS, ("what", "a line", None), "teaches labels: give --label, or neither"),
        (RESPONSES, ("what", None, None), "teaches responses: give the one to explain with --response, and no --label"),
        (RESPONSES, ("what", " ", None), "teaches responses"),
        (RESPONSES, ("what", "a line", "algebra"), "and no --label"),
    ],
)
def test_questions_that_the_task_does_not_know(facts, arguments, message):
    """Each is one line that says what to give."""
    with pytest.raises(ConfigError, match=message):
        parse_question(*arguments, facts)


def test_questions_that_it_knows():
    """A label may be left to the model; a response may not."""
    assert parse_question("what", None, None, LABELS) == Question("what", None)
    assert parse_question("what", None, "drawing", LABELS) == Question("what", "drawing")
    assert parse_question("what", "a line", None, RESPONSES) == Question("what", "a line")


def test_intervals_are_students():
    """Two seeds, 90 %: 6.31 standard errors to either side (t with one degree of freedom)."""
    found = intervals(np.array([[1.0, 5.0], [3.0, 5.0]]), 0.9)

    assert found["score"].tolist() == [2.0, 5.0]
    assert found["high"] - found["score"] == pytest.approx([6.3138, 0.0], abs=1e-3)
    assert found["score"] - found["low"] == pytest.approx([6.3138, 0.0], abs=1e-3)


def test_another_base_than_the_recorded_is_refused(trained, bert, llama, tmp_path):
    """Also after the index was made."""
    dataset, adapters, indexes, config = trained
    other = tmp_path / "other"
    causal = config.base.folder == llama
    write = tiny.write_llama if causal else tiny.write_bert
    weights = write(other) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    moved = config.model_copy(update={"base": config.base.model_copy(update={"folder": other})})

    with pytest.raises(AttributionError, match="learned from base"):
        answer_job(dataset, adapters, indexes, moved, Question("what", "draw a line" if causal else None), ignore)


def test_a_loss_that_is_not_a_number_is_told(trained, monkeypatch):
    """Nothing is explained by NaN."""
    dataset, _, _, _ = trained
    row = pd.read_parquet(dataset.file("train.parquet")).iloc[0]
    from tribute.finetuning.models.row_models import ResponseModel, SentenceClassifier

    for kind in (SentenceClassifier, ResponseModel):
        scores = kind.row_scores
        monkeypatch.setattr(
            kind,
            "row_scores",
            lambda *given, scores=scores: scores(*given)._replace(losses=scores(*given).losses * math.nan),
        )

    with pytest.raises(TrainingError, match="answer: the loss is not a number"):
        answer_job(*trained, Question(row["text"], row["target"]), ignore)
