"""The index's contributor vectors are exact sums over rows, and a job that was cut off ends with the same bytes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.attribution.helpers.runs import folders_in, run_of
from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tests.helpers.terminal import tree
from tribute.artifacts import Store
from tribute.attribution.answers import index_artifact, row_index
from tribute.attribution.answers.damping import DAMPINGS, Damping
from tribute.attribution.answers.index_artifact import Removal, index_job, picking_jobs, removals
from tribute.attribution.gradients import curvature
from tribute.attribution.gradients.curvature import Curvature, midpoints
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.attribution.gradients.tensors import load_checked
from tribute.attribution.retraining.jobs import Job, TrainedRows, row_mask
from tribute.config import AttributionConfig
from tribute.errors import AttributionError
from tribute.finetuning.adapters import adapters
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import load_trace
from tribute.finetuning.workers import Key
from tribute.pipeline.stages.answers import damping_removals

pytestmark = pytest.mark.numeric

PICKED = Damping(10.0, 2.0, 0.5, 8)


@pytest.fixture(scope="module", autouse=True)
def small():
    """A curvature of few draws and shards of few rows: nothing here depends on how good it is."""
    patch = pytest.MonkeyPatch()
    patch.setattr(curvature, "SAMPLES", (64, 64))
    patch.setattr(curvature, "STRONGEST", 64)
    patch.setattr(index_artifact, "ROWS_PER_SHARD", 10)
    yield
    patch.undo()


def made_index(dataset, adapter, config, root, picking=PICKED, progress=ignore):
    """The folder of an index, made in this process."""
    folder = root / "folder"
    folder.mkdir()
    index_job(dataset, adapter, config, picking, folders_in(root, folder), progress)
    return folder


@pytest.fixture(scope="module")
def made(dataset, adapter, config, tmp_path_factory):
    """Seed 0's index with a given damping; read only."""
    return made_index(dataset, adapter, config, tmp_path_factory.mktemp("index"))


def test_contributor_vectors_are_sums_over_rows(made, dataset, adapter, config, tmp_path):
    """Each row's preconditioned gradient, added up by contributor, over the number of rows, times the slope."""
    ready, trace = prepare(dataset, config, tmp_path, 0), load_trace(adapter.path)
    found = Curvature.load(made / "curvature.safetensors")
    expected = torch.zeros(4, len(found.metric))
    names = sorted(set(ready.contributors))
    for row, owner in enumerate(ready.contributors):
        ((_, gradient),) = row_gradients_of(ready.model, ready.train, [row], midpoints(trace))
        expected[names.index(owner)] += 2.0 * found.precondition(gradient, 10.0)[0] / len(ready.train)

    vectors = load_checked(made / "contributors.safetensors")["vectors"]

    assert float((vectors - expected).norm() / expected.norm()) < 1e-4


def test_rows_are_indexed_in_order(made, dataset, config, adapter, tmp_path):
    """The index's products rank the rows as their preconditioned gradients do."""
    ready, trace = prepare(dataset, config, tmp_path, 0), load_trace(adapter.path)
    found = Curvature.load(made / "curvature.safetensors")
    ((_, answer),) = row_gradients_of(ready.model, ready.evaluation, [3], [trace.states[-1].theta])
    answer = answer.clone()
    exact = np.zeros(len(ready.train))
    for chunk, gradients in row_gradients_of(ready.model, ready.train, range(len(ready.train)), midpoints(trace)):
        exact[chunk] = (found.precondition(gradients, 10.0) @ answer[0]).numpy()

    width = min(row_index.WIDTH, len(found.metric))
    scores = row_index.Index(made, len(ready.train), 10).scores(
        found.coordinates(answer, width)[0] * found.weights(10.0, width)
    )

    assert list(pd.read_parquet(made / "rows.parquet")["row_id"]) == list(ready.train.row_ids)
    assert len(list((made / "shards").iterdir())) == 5
    assert np.corrcoef(scores, exact)[0, 1] > 0.99


def test_cut_off_and_made_again(made, dataset, adapter, config, tmp_path):
    """Wherever the job stops, the next one goes on behind the last shard and ends with the same bytes."""

    class CutError(Exception):
        """Stops the job."""

    cuts = iter((40, 140, 165))

    def stop(limit):
        def progress(done, total):
            if done > limit:
                raise CutError

        return progress

    for limit in cuts:
        with pytest.raises(CutError):
            made_index(dataset, adapter, config, tmp_path, progress=stop(limit))
        (tmp_path / "folder").rmdir()

    assert tree(made_index(dataset, adapter, config, tmp_path)) == tree(made)


def retraining(root, dataset, number, losses):
    """A retraining artifact whose evaluation losses are given."""
    rows = pd.read_parquet(dataset.file("evaluation.parquet"))["row_id"]

    def build(folder):
        pd.DataFrame({"row_id": rows, "before": 1.0, "loss": losses}).to_parquet(folder / "losses.parquet")

    return Store(root).make(adapters.RETRAINING, {}, {"number": number}, build)


def test_the_damping_is_picked_on_retrainings(dataset, adapter, config, tmp_path):
    """Retrainings that came out as one damping predicts are predicted by that one, with slope 3 where they say 3."""
    ready, trace = prepare(dataset, config, tmp_path, 0), load_trace(adapter.path)
    own = tmp_path / "first"
    own.mkdir()
    found = Curvature.load(made_index(dataset, adapter, config, own) / "curvature.safetensors")
    chance = np.random.Generator(np.random.Philox(0))
    gone = [frozenset(chance.permutation(ready.train.row_ids)[:10].tolist()) for _ in range(8)]
    gradients = torch.zeros(len(ready.train), len(found.metric))
    for chunk, some in row_gradients_of(ready.model, ready.train, range(len(ready.train)), midpoints(trace)):
        gradients[chunk] = some
    answers = torch.zeros(len(ready.evaluation), len(found.metric))
    end = [trace.states[-1].theta]
    for chunk, some in row_gradients_of(ready.model, ready.evaluation, range(len(ready.evaluation)), end):
        answers[chunk] = some
    picking = []
    for number, ids in enumerate(gone):
        removed = gradients[[row in ids for row in ready.train.row_ids]].sum(0, keepdim=True) / len(ready.train)
        losses = 1 + 3 * (found.precondition(removed, DAMPINGS[5]) @ answers.T)[0]
        picking.append(Removal(ids, retraining(tmp_path, dataset, number, losses.numpy())))

    (tmp_path / "second").mkdir()
    again = made_index(dataset, adapter, config, tmp_path / "second", picking)

    facts = pd.read_json(again / "index.json", typ="series")
    assert facts["damping"] == DAMPINGS[5]
    assert facts["slope"] == pytest.approx(3, rel=0.02)
    assert facts["lds"] > 0.99
    assert facts["retrainings"] == 8


def test_relabelling_contributors_moves_whole_vectors(made, adapter, config, tmp_path):
    """Rows under other names: each row counts as before, whoever it belongs to."""
    other = tiny.make_dataset(tmp_path, names={"cyd": "ada", "dan": "bob"})
    relabelled = replace(tiny.make_adapter(tmp_path, other, config, 0))

    again = made_index(other, relabelled, config, tmp_path)

    before, after = (load_checked(one / "contributors.safetensors")["vectors"] for one in (made, again))
    assert torch.allclose(after, torch.stack([before[0] + before[2], before[1] + before[3]]), rtol=1e-3, atol=1e-6)


def test_an_adapter_of_another_dataset_version_is_refused(adapter, config, tmp_path):
    """Before anything is computed."""
    other = tiny.make_dataset(tmp_path, rows=40)

    with pytest.raises(AttributionError, match="learned from dataset"):
        made_index(other, adapter, config, tmp_path)

    assert not (tmp_path / "own").exists()


def test_a_trace_of_another_adapter_is_refused(dataset, adapter, bert, tmp_path):
    """The first parameter that differs is named."""
    config = tiny.bert_config(bert, lora={"target_modules": ["query"], "layers": [1, 2]})

    with pytest.raises(
        AttributionError, match=r"the trace and the adapter differ in .*; use the adapter of this trace"
    ):
        made_index(dataset, adapter, config, tmp_path)


ROWS = TrainedRows.of([f"r{number}" for number in range(10)], ["ada"] * 5 + ["bob"] * 5)


def test_picking_uses_what_the_attribution_made():
    """Random removals and left-out contributors of the seed asked for; removals are added up to eight, none past 24."""
    leave_outs = [Job(design="leave-out", seed=seed, contributor="bob") for seed in (0, 1)]
    removed = [Job(design="removal", seed=0, number=number) for number in range(40)]

    few = picking_jobs(ROWS, 0, [f"retrained-{job}" for job in leave_outs], proxy=False)
    many = picking_jobs(ROWS, 0, [f"retrained-{job}" for job in leave_outs + removed], proxy=False)

    assert few == ([leave_outs[0]], removed[:7])
    assert many == (removed[:24], [])


def test_what_a_proxy_retrained_is_not_picked_on(root, dataset, config, tmp_path, monkeypatch):
    """Gradients and index are of the whole training: of an attribution by proxy only `in-full` counts."""
    run = run_of(root, dataset, [], config, AttributionConfig(proxy=True))
    in_full = retraining(root, dataset, 90, 1.0)
    by_proxy = retraining(root, dataset, 91, 1.0)
    inputs = {f"retrained-removal {number}, seed 0": by_proxy.id for number in range(40)}
    inputs |= {"retrained-leave-out bob, seed 0": by_proxy.id, "retrained-in-full bob, seed 0": in_full.id}
    attribution = replace(dataset, identity={"inputs": inputs})
    asked = []

    def retraining_recipe(data, how, seed, kept):
        asked.append((how, seed))
        return SimpleNamespace(key=Key({}, {"number": 90}))

    monkeypatch.setattr(adapters, "retraining", retraining_recipe)

    def each(retrain, jobs):
        assert {job.design for job in jobs} == {"removal"}
        return [retrain(job) for job in jobs]

    picked = damping_removals(run, attribution, each)

    assert len(picked) == 8
    assert {one.retraining.id for one in picked} == {in_full.id}
    assert {row.split("-")[0] for row in picked[0].removed} == {"bob"}
    assert asked == [(config, 0)] * 7


def test_a_removal_holds_the_rows_that_its_job_left_out(dataset):
    """And no other."""
    jobs = [Job(design="leave-out", seed=0, contributor="bob"), Job(design="removal", seed=0, number=3)]

    found = removals(ROWS, jobs, [dataset, dataset])

    assert found[0].removed == {"r5", "r6", "r7", "r8", "r9"}
    assert found[1].removed == {f"r{number}" for number in np.flatnonzero(~row_mask(jobs[1], ROWS))}
