"""Theorem: what MLflow loads answers as the trained model does, wherever the workspace has moved to."""

import shutil

import mlflow
import pandas as pd
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.artifacts import Artifact, add_provenance
from tribute.errors import BaseModelError
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.models.lora import load_adapter
from tribute.finetuning.preparation.preparation import build_model, encode
from tribute.finetuning.tracking import Subject, Tracker
from tribute.workspace import Workspace

CHAMPION = "models:/tribute-tiny@champion"


@pytest.fixture(autouse=True)
def nowhere():
    """MLflow's global address is forgotten after each test."""
    yield
    mlflow.set_tracking_uri(None)


def registered(place, dataset, config) -> Artifact:
    """Train, track and register one seed in a workspace at `place`."""
    workspace = Workspace.create(place)
    tracker = Tracker(workspace.mlflow)
    adapter = tiny.make_adapter(workspace.root, dataset, config, 0)
    evaluation = adapter.json("evaluation.json")
    assert evaluation["loss"] < evaluation["before"]["loss"]
    tracked = add_provenance(adapter, tracker.finish(tracker.begin(Subject("run", dataset, config), 0), adapter.path))
    assert tracker.register(dataset, tracked, config).champion
    return tracked


def loaded(place, **options):
    """The champion as MLflow's users load it."""
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow' / 'mlflow.db'}")
    return mlflow.pyfunc.load_model(CHAMPION, **options)


def test_the_champion_of_a_classifier_names_labels(tmp_path, dataset, config):
    """Label and probability of each text are those of base and adapter; the workspace may have moved before."""
    adapter = registered(tmp_path / "before", dataset, config)
    place = tmp_path / "after"
    (tmp_path / "before").rename(place)
    model = build_model(dataset, config)
    load_adapter(model, place / adapter.path.relative_to(tmp_path / "before"))
    frame, rows = encode(dataset, config, "evaluation")
    with torch.no_grad():
        expected = [model.log_probabilities(rows.collate([row]))[0].exp() for row in range(3)]
    with Tracker(place / "mlflow").connection.client():
        pass

    served = loaded(place)

    answers = served.predict(frame[["text"]].head(3))
    labels = dataset.json("dataset.json")["labels"]
    assert list(answers["label"]) == [labels[int(one.argmax())] for one in expected]
    assert list(answers["probability"]) == pytest.approx([float(one.max()) for one in expected], rel=1e-5)
    assert [column.name for column in served.metadata.signature.outputs] == ["label", "probability"]


def test_the_champion_of_a_causal_model_writes_responses(tmp_path, dialogues, causal_config, llama):
    """The response is what the most probable tokens spell; `max_new_tokens` bounds it."""
    changed = causal_config.model_copy(update={"epochs": 4})
    adapter = registered(tmp_path / "workspace", dialogues, changed)
    frame, _ = encode(dialogues, changed, "evaluation")
    prompt = frame["text"][0]
    asked = pd.DataFrame({"prompt": [prompt]})
    tokenizer = load_tokenizer(base_folder(changed.base))
    model = build_model(dialogues, changed)
    load_adapter(model, adapter.path)
    ids = tokenizer(prompt + "\n")["input_ids"]
    for _ in range(4):
        with torch.no_grad():
            ids = [*ids, int(model.network(torch.tensor([ids])).logits[0, -1].argmax())]

    served = loaded(tmp_path / "workspace")

    (response,) = served.predict(asked, params={"max_new_tokens": 4})["response"]
    assert response == tokenizer.decode(ids[-4:], skip_special_tokens=True).strip()
    moved = shutil.copytree(llama, tmp_path / "moved")
    assert loaded(tmp_path / "workspace", model_config={"base_folder": str(moved)}).predict(
        asked, params={"max_new_tokens": 4}
    )["response"].tolist() == [response]
    (moved / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(BaseModelError, match="not the base that the adapter was trained on"):
        loaded(tmp_path / "workspace", model_config={"base_folder": str(moved)})
