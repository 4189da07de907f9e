"""From traces to credits: they do not know names, and what does not belong together is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import folders_in, run_of
from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tests.helpers.terminal import tree
from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import Question, answer_job
from tribute.attribution.answers.index_artifact import index_job
from tribute.attribution.credit import inrun_artifact
from tribute.attribution.effects.predicted_artifact import influence_job
from tribute.errors import AttributionError, IntegrityError
from tribute.finetuning.preparation import preparation
from tribute.finetuning.workers import Folders


def row_scores(dataset, adapter, config, folder):
    """`scores.parquet` of one adapter, computed in this process."""
    folder.mkdir()
    inrun_artifact.credit_job(run_of(folder, dataset, [adapter], config), 0, folders_in(folder, folder), ignore)
    return pd.read_parquet(folder / "scores.parquet")


@pytest.fixture(scope="module")
def scores(dataset, adapter, config, tmp_path_factory):
    """Seed 0's scores."""
    return row_scores(dataset, adapter, config, tmp_path_factory.mktemp("credit") / "made")


def test_every_row_has_a_score_for_every_slice(scores, dataset):
    """In the dataset's order, with its contributor beside it."""
    train = pd.read_parquet(dataset.file("train.parquet"))

    assert list(scores.columns) == ["row_id", "contributor_id", "query", "credit"]
    assert list(scores["row_id"]) == list(np.repeat(train["row_id"], 3))
    assert list(scores["contributor_id"]) == list(np.repeat(train["contributor_id"], 3))
    assert list(scores["query"][:3]) == ["algebra", "drawing", "networks"]


def test_relabelling_contributors_cannot_change_row_scores(scores, config, tmp_path):
    """The same rows under other names, trained and credited anew, have the same scores to the last bit."""
    names = {"ada": "dan", "bob": "ada", "cyd": "zoe", "dan": "zoe"}
    other = tiny.make_dataset(tmp_path, names=names)

    again = row_scores(other, tiny.make_adapter(tmp_path, other, config, 0), config, tmp_path / "made")

    assert set(again["contributor_id"]) == {"dan", "ada", "zoe"}
    assert again[["row_id", "query", "credit"]].equals(scores[["row_id", "query", "credit"]])


def test_an_adapter_of_another_dataset_version_is_refused(adapter, config, tmp_path):
    """The message names both and the way out."""
    other = tiny.make_dataset(tmp_path, rows=40)

    with pytest.raises(AttributionError, match=r"learned from dataset .*, the run names .*; use the dataset"):
        preparation.check_base(other, adapter, config)


def test_an_adapter_of_another_base_is_refused(dataset, adapter, tmp_path):
    """Even one with the same shapes."""
    config = tiny.bert_config(tiny.write_bert(tmp_path / "other", seed=1))

    with pytest.raises(AttributionError, match="learned from base"):
        preparation.check_base(dataset, adapter, config)


@pytest.fixture(scope="module")
def swapped(root, dataset, adapter, config, tmp_path_factory):
    """Seed 0's adapter with the trace of seed 1, which has the same layout and the same rows."""
    folder = shutil.copytree(adapter.path, tmp_path_factory.mktemp("swapped") / "adapter")
    shutil.rmtree(folder / "trace")
    shutil.copytree(tiny.make_adapter(root, dataset, config, 1).path / "trace", folder / "trace")
    return replace(adapter, path=folder)


JOBS = {
    "credit": lambda run, folders: inrun_artifact.credit_job(run, 0, folders, ignore),
    "influence": lambda run, folders: influence_job(run, 0, folders, ignore),
    "index": lambda run, folders: index_job(
        run.dataset, run.adapters[0], run.config.finetuning, Damping(1.0, 1.0, 0.5, 8), folders, ignore
    ),
    "explain": lambda run, folders: answer_job(
        run.dataset, run.adapters, [], run.config.finetuning, Question("what", None), ignore
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_the_trace_of_another_seed_is_refused(job, dataset, swapped, config, tmp_path):
    """Whatever reads it: adapter and file are named, and nothing is written."""
    before, made = tree(dataset.path), tmp_path / "made"
    made.mkdir()

    with pytest.raises(
        IntegrityError,
        match=rf"trace/states.safetensors: sha256 \w+, the manifest of adapter {swapped.id[:12]} says sha256 \w+; "
        "restore the file",
    ):
        JOBS[job](run_of(tmp_path, dataset, [swapped], config), Folders(made, tmp_path / "own", tmp_path / "own"))

    assert list(tmp_path.iterdir()) == [made]
    assert not list(made.iterdir())
    assert tree(dataset.path) == before


def test_a_missing_trace_stops_the_credit(dataset, adapter, config, tmp_path):
    """Its first file is named."""
    copy = replace(adapter, path=tmp_path / "copy")
    copy.path.mkdir()

    with pytest.raises(IntegrityError, match=r"trace/states.safetensors: no such file, the manifest of adapter"):
        row_scores(dataset, copy, config, tmp_path / "made")
