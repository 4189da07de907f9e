"""An adapter folder is enough: put into the plain base by PEFT it gives the recorded evaluation again."""

import json
import shutil

import pandas as pd
import peft
import pytest
import torch
from safetensors.torch import load_file

from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import Store, add_provenance, verify_artifact
from tribute.config import BaseConfig, weights_sha256
from tribute.errors import IntegrityError, TrainingError
from tribute.files import write_json
from tribute.finetuning.adapters import adapters
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.base_models import base_digest
from tribute.finetuning.models.lora import load_adapter
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.preparation.preparation import build_model, encode
from tribute.finetuning.recording.trace import flatten, load_trace
from tribute.finetuning.workers import Folders

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def adapter(root, dataset, config):
    """Seed 0's adapter; read only."""
    return tiny.make_adapter(root, dataset, config, 0)


@pytest.fixture(scope="module")
def causal_adapter(root, dialogues, causal_config):
    """Seed 0's adapter of the causal model; read only."""
    return tiny.make_adapter(root, dialogues, causal_config, 0)


@pytest.mark.parametrize("task", ["sequence-classification", "causal-lm"])
def test_the_adapter_loads_into_the_plain_base(request, task):
    """Trained on cached lower layers or not, the saved adapter fits the whole network."""
    classified = task == "sequence-classification"
    dataset = request.getfixturevalue("dataset" if classified else "dialogues")
    config = request.getfixturevalue("config" if classified else "causal_config")
    made = request.getfixturevalue("adapter" if classified else "causal_adapter")
    model, rows = build_model(dataset, config), encode(dataset, config, "evaluation")[1]

    load_adapter(model, made.path)

    recorded = json.loads(made.file("evaluation.json").read_text())
    measured = evaluate(model, rows).summary()
    assert measured["loss"] == pytest.approx(recorded["loss"], rel=1e-5)
    assert measured["accuracy"] == recorded["accuracy"]
    assert recorded["loss"] < recorded["before"]["loss"]


def test_the_adapter_is_the_traces_last_state(adapter, dataset, config):
    """Fine-tuning and attribution speak of the same parameters."""
    model = build_model(dataset, config)
    load_adapter(model, adapter.path)
    model.network.requires_grad_(False)
    learned = {name: value for name, value in sorted(model.named_parameters()) if "lora_" in name}

    trace = load_trace(adapter.path)

    assert list(learned) == list(trace.layout)
    assert (flatten(learned) == trace.states[-1].theta).all()


def test_the_adapter_names_its_base(adapter, bert):
    """Where it lies and what it is, with its tokenizer; sets in a fixed order."""
    saved = adapter.json("adapter_config.json")

    assert (saved["base_model_name_or_path"], saved["revision"]) == (str(bert), None)
    assert saved["target_modules"] == ["dense", "query", "value"]
    assert saved["task_type"] == "FEATURE_EXTRACTION"
    assert adapter.json("base.json") == {"digest": base_digest(bert), "weights_sha256": weights_sha256(bert)}
    assert adapter.file("tokenizer.json").read_bytes() == (bert / "tokenizer.json").read_bytes()
    assert str(bert) not in adapter.file("README.md").read_text()


def test_a_hub_base_is_named_with_its_revision(bert, tmp_path, monkeypatch):
    """Its cache's folder is nobody else's."""
    monkeypatch.setattr("tribute.finetuning.adapters.adapters.base_folder", lambda base: bert)

    named = adapters._name_base(tmp_path, BaseConfig(hub="team/base", revision="a" * 40))

    assert named == {"base_model_name_or_path": "team/base", "revision": "a" * 40}


@pytest.mark.parametrize("task", ["FeatureExtraction", "CausalLM"])
def test_the_adapter_loads_by_itself(request, task):
    """PEFT finds base and tokenizer from the folder alone; the causal model's loss is the recorded one."""
    made = request.getfixturevalue("adapter" if task == "FeatureExtraction" else "causal_adapter")

    network = getattr(peft, f"AutoPeftModelFor{task}").from_pretrained(made.path, dtype=torch.float32)

    tensors = load_file(made.file("adapter_model.safetensors"))
    learned = {name.replace(".default.", "."): value for name, value in network.state_dict().items()}
    assert all(torch.equal(learned[name], value) for name, value in tensors.items())
    if task == "CausalLM":
        dialogues, config = request.getfixturevalue("dialogues"), request.getfixturevalue("causal_config")
        rows = encode(dialogues, config, "evaluation")[1]
        measured = evaluate(ResponseModel(network.eval()), rows).summary()["loss"]
        assert measured == pytest.approx(made.json("evaluation.json")["loss"], rel=1e-5)


def test_where_the_base_lies_is_not_what_an_adapter_is(adapter, bert, dataset, tmp_path):
    """Trained from a copy of the base it has the same id, and a base that moved can be named without harm to it."""
    moved = shutil.copytree(bert, tmp_path / "moved")

    again = adapters.adapter(dataset, tiny.bert_config(moved), 0).make(Store(tmp_path), tmp_path / "scratch", ignore)
    config = again.json("adapter_config.json")
    renamed = shutil.copytree(again.path, tmp_path / "renamed")
    write_json(renamed / "adapter_config.json", config | {"base_model_name_or_path": "/else"}, sort_keys=True)

    assert config["base_model_name_or_path"] == str(moved)
    assert again.id == adapter.id
    assert verify_artifact(renamed).id == again.id
    write_json(renamed / "adapter_config.json", config | {"lora_alpha": 9}, sort_keys=True)
    with pytest.raises(IntegrityError, match=r"adapter_config\.json"):
        verify_artifact(renamed)


def test_an_adapter_is_made_once(adapter, dataset, config, tmp_path):
    """The second call finds the folder; its id does not know that the work was done in a child, or what it took."""
    store, seen = Store(tmp_path), []

    def progress(done, total):
        seen.append((done, total))

    recipe = adapters.adapter(dataset, config, 0)
    made = recipe.make(store, tmp_path / "scratch", progress)
    files = sorted(path.name for path in made.path.iterdir())
    made = add_provenance(made, {"mlflow_run_id": "r"})
    again = recipe.make(store, tmp_path / "scratch", progress)

    assert (made.found, again.found) == (False, True)
    assert not list((tmp_path / "scratch").glob("*/checkpoint-*"))
    assert made.id == again.id == adapter.id
    assert made.provenance["mlflow_run_id"] == "r"
    assert again.provenance == made.provenance
    assert files == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "base.json",
        "curve.json",
        "evaluation.json",
        "losses.parquet",
        "manifest.json",
        "rows.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "trace",
    ]
    assert seen == [(step, 12) for step in range(1, 13)]
    assert verify_artifact(made.path) == recipe.find(store)
    assert adapters.adapter(dataset, config, 1).find(store) is None


def test_a_failed_training_leaves_no_artifact(dataset, bert, tmp_path):
    """Its error comes through, and nothing half-made lies where finished artifacts are."""
    config = tiny.bert_config(bert, lora={"target_modules": ["q_proj"]})

    with pytest.raises(TrainingError, match=r"finetuning\.lora"):
        adapters.adapter(dataset, config, 0).make(Store(tmp_path), tmp_path / "scratch", ignore)

    assert list((tmp_path / "artifacts" / "adapter").iterdir()) == []


def row_ids(dataset, without=""):
    """The training rows, less one contributor's."""
    train = pd.read_parquet(dataset.file("train.parquet"))
    return train[train["contributor_id"] != without]["row_id"].tolist()


def test_a_retraining_keeps_only_its_evaluation(adapter, dataset, config, tmp_path):
    """Without a contributor the start is the same and the end is another; each evaluation row's loss is kept."""
    kept = row_ids(dataset, without="ada")

    made = adapters.retraining(dataset, config, 0, kept).make(Store(tmp_path), tmp_path / "scratch", ignore)

    assert set(made.identity["files"]) == {"evaluation.json", "losses.parquet"}
    left, full = (json.loads(artifact.file("evaluation.json").read_text()) for artifact in (made, adapter))
    assert left["before"] == full["before"]
    assert left["loss"] != full["loss"]
    assert pd.read_parquet(made.file("losses.parquet"))["loss"].mean() == pytest.approx(left["loss"])


def test_a_retraining_records_no_states(dataset, config, tmp_path):
    """Nobody walks it again, so it writes none of a trace's gigabytes, and ends where a recorded one does."""
    folder, own = tmp_path / "made", tmp_path / "own"
    folder.mkdir()

    adapters.retraining_job(dataset, config, 0, row_ids(dataset, "ada"), Folders(folder, tmp_path, own), ignore)

    assert list(own.glob("checkpoint-*"))
    assert not (own / "states").exists()


def test_a_retraining_is_known_by_its_rows_and_seed(dataset, config, tmp_path):
    """Whoever asks for the same rows, in whatever order, finds it; other rows or another seed do not."""
    store, kept = Store(tmp_path), row_ids(dataset, without="ada")
    made = adapters.retraining(dataset, config, 0, kept).make(store, tmp_path / "scratch", ignore)

    assert adapters.retraining(dataset, config, 0, kept[::-1]).find(store) == made
    assert adapters.retraining(dataset, config, 0, kept[1:]).find(store) is None
    assert adapters.retraining(dataset, config, 1, kept).find(store) is None


def test_leaving_out_nobody_is_the_training_itself(adapter, dataset, config, tmp_path):
    """A retraining differs from the training by the rows left out, and by nothing else."""
    folder = tmp_path / "made"
    folder.mkdir()

    folders = Folders(folder, tmp_path, tmp_path / "own")
    adapters.retraining_job(dataset, config, 0, row_ids(dataset), folders, ignore)

    assert (folder / "evaluation.json").read_bytes() == adapter.file("evaluation.json").read_bytes()


def test_the_proxy_adapts_the_last_layer_alone(config):
    """All else is the run's own."""
    proxy = adapters.proxy_of(config)

    assert proxy.lora.layers == (2,)
    assert proxy.model_copy(update={"lora": config.lora}) == config


def test_baselines_are_an_artifact(dataset, config, tmp_path):
    """Their key knows nothing of epochs or rates: a changed training does not compute them again."""
    store = Store(tmp_path)

    made = adapters.baselines(dataset, config).make(store, tmp_path / "scratch", ignore)
    again = adapters.baselines(dataset, config.model_copy(update={"epochs": 9})).make(
        store, tmp_path / "scratch", ignore
    )

    assert set(made.identity["files"]) == {"baselines.json"}
    assert again.found
