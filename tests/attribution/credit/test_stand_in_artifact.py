"""The stand-in as an artifact: of a classifier a probe, of a causal model a memory, and a witness in a run's shares."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import measurements, run_of, with_others
from tests.attribution.test_combine import made_credit, made_evaluation
from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import Store, verify_artifact
from tribute.attribution.credit import stand_in_artifact
from tribute.attribution.credit.memory import Memory
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in_artifact import STAND_IN
from tribute.attribution.measurement import find, measure
from tribute.attribution.retraining.jobs import Job, TrainedRows, repetition, row_mask
from tribute.errors import AttributionError, IntegrityError
from tribute.finetuning.adapters import adapters

pytestmark = pytest.mark.numeric


@pytest.fixture
def witnessed(tmp_path, dataset):
    """Two seeds whose in-run credit takes ada for as good as cyd, beside a stand-in that knows better."""
    equal = {"ada": 0.2, "bob": 0.1, "cyd": 0.2, "dan": 0.0}
    credits = [made_credit(tmp_path, dataset, seed, equal | {"bob": 0.1 + 0.01 * seed}) for seed in (0, 1)]
    adapters = [made_evaluation(tmp_path, "adapter", 1.5, seed) for seed in (0, 1)]
    return measurements(dataset, adapters, credits=credits, probes=[made_probe(tmp_path, dataset, [0.6, 0.2, 0.2, 0])])


def made_probe(root, dataset, credit, wanted=1.0, cluster=lambda names: names.astype("category").cat.codes):
    """A stand-in's artifact that says this of ada, bob, cyd and dan, evenly of their rows; their names say clusters."""
    train = pd.read_parquet(dataset.file("train.parquet"))
    by_row = train["contributor_id"].map(dict(zip(("ada", "bob", "cyd", "dan"), credit, strict=True))) / 12
    columns = [f"{kind}_{number}" for kind in ("draw", "fold") for number in range(8)]
    columns.append("slice_algebra")
    table = train[["row_id"]].assign(**dict.fromkeys(columns, by_row), cluster=cluster(train["contributor_id"]) + 0)
    facts = {"length": 0.1, "wanted": wanted, "gained": sum(credit), "sum": sum(credit)}

    def build(folder):
        table.to_parquet(folder / "credits.parquet", index=False)
        (folder / "probe.json").write_text(json.dumps(facts))

    return Store(root).make(stand_in_artifact.KIND, {}, {"credit": credit}, build)


def test_without_retraining_both_witnesses_count(witnessed):
    """Alike where neither scatters, on the run's total; their distance is in the intervals, not in `se`."""
    apart, alone = witnessed.estimate(), with_others(witnessed, probes=[]).estimate()

    scaled = np.array([0.6, 0.2, 0.2, 0]) * witnessed.gain
    assert apart.credit == pytest.approx(0.5 * alone.credit + 0.5 * scaled, abs=0.01)
    assert apart.credit.sum() == pytest.approx(witnessed.gain)
    assert (apart.errors() > 2 * alone.errors()).all()
    assert (apart.standard_errors() < 0.5 * apart.errors())[[0, 2]].all()
    assert (witnessed.method, with_others(witnessed, probes=[]).method) == ("in-run + probe", "in-run")


@pytest.mark.parametrize("credit", [[-0.1, 0.0, 0.05, -0.1], [0.02, -0.01, -0.02, 0.0101], [0.2, 0.1, 0.1, 0.0]])
def test_a_stand_in_that_learned_little_is_no_witness(witnessed, tmp_path, dataset, credit):
    """Blown up to what the run gained it would say anything; less than half of that leaves in-run as it was."""
    useless = with_others(witnessed, probes=[made_probe(tmp_path, dataset, credit)])

    assert useless.estimate().credit == pytest.approx(with_others(witnessed, probes=[]).estimate().credit)
    assert useless.method == "in-run"


def test_a_stand_in_bears_it_alone_where_the_walks_miss(witnessed, tmp_path, dataset):
    """Both seeds off by more than half: what is left is the stand-in."""
    lost = [
        made_credit(tmp_path, dataset, seed, {"ada": 0.3, "bob": 0.1, "cyd": 0.1, "dan": 0}, measured=0.2)
        for seed in (0, 1)
    ]

    alone = with_others(witnessed, credits=lost)

    assert alone.method == "probe"
    assert alone.estimate().credit == pytest.approx(np.array([0.6, 0.2, 0.2, 0]) * alone.gain)


def test_the_clusters_that_pay_may_be_those_of_another_machine(witnessed, tmp_path, dataset):
    """A row at a boundary fell to the other side there: its clusters and the own credits."""
    other = made_probe(tmp_path, dataset, [0.2, 0.6, 0.1, 0.1], cluster=lambda names: names.isin(["ada", "bob"]))

    both = replace(witnessed, clustered=other)

    assert set(np.bincount(both.clusters)) == {24}
    assert both.stand_in.credit.tolist() == witnessed.stand_in.credit.tolist()
    assert both.inputs() == witnessed.inputs()


def test_a_stand_in_that_was_changed_is_refused(witnessed):
    """It decides what is paid."""
    path = witnessed.probes[0].file("probe.json")
    path.chmod(0o644)
    path.write_text(path.read_text().replace("0.1", "0.9"))

    with pytest.raises(IntegrityError, match=r"probe\.json"):
        replace(witnessed)


@pytest.fixture(scope="module")
def made(root, dataset, config, adapter):
    """The probe of seed 0's adapter on the tiny base, in a child process."""
    return measure(run_of(root, dataset, [adapter], config), STAND_IN, None)


def test_the_artifact_holds_the_probe_and_what_it_says(made, dataset, adapter, root, config):
    """Its credits are there by row, with folds beside, and sum to what the probe that is read back gains."""
    facts, credits = made.json("probe.json"), pd.read_parquet(made.file("credits.parquet"))
    loaded = stand_in_artifact.load_stand_in(made.path)
    everything = np.ones(len(credits))
    gained = float((loaded.losses(0 * everything) - loaded.losses(everything)).mean())

    assert verify_artifact(made.path) == made
    assert find(run_of(root, dataset, [adapter], config), STAND_IN, None) == made
    assert isinstance(loaded, Probe)
    assert sorted(credits["row_id"]) == sorted(TrainedRows.trained(dataset).row_ids)
    assert facts["gained"] == pytest.approx(gained, abs=1e-6)
    assert facts["sum"] == pytest.approx(credits["credit"].sum()) == pytest.approx(gained, rel=0.03)
    assert credits.filter(like="fold_").mean(axis=1).to_numpy() == pytest.approx(credits["credit"], abs=0.05)
    slices = stand_in_artifact.slices_of(made.path, list(credits["row_id"]))
    assert set(slices) == set(tiny.TOPICS)
    assert slices.to_numpy().sum() == pytest.approx(gained, rel=0.03)
    fallen = adapter.json("evaluation.json")
    assert facts["wanted"] == pytest.approx(fallen["before"]["loss"] - fallen["loss"])


def test_a_causal_model_is_stood_in_for_by_a_memory(root, dialogues, llama):
    """Read back it gives the same losses, which begin where the base begins."""
    config = tiny.llama_config(llama, learning_rate=5e-3)
    adapter = adapters.adapter(dialogues, config, 0).make(Store(root), root / "scratch", ignore)

    made = measure(run_of(root, dialogues, [adapter], config), STAND_IN, None)

    facts, loaded = made.json("probe.json"), stand_in_artifact.load_stand_in(made.path)
    rows = loaded.near.shape[1]
    assert isinstance(loaded, Memory)
    assert loaded.losses(np.zeros(rows)).mean() == pytest.approx(
        adapter.json("evaluation.json")["before"]["loss"], rel=1e-4
    )
    assert facts["gained"] >= 0.5 * facts["wanted"]
    assert facts["sum"] == pytest.approx(facts["gained"], rel=0.03)


@pytest.mark.parametrize("factors", [7, 2])
def test_what_was_drawn_is_taken_off_by_the_stand_in(made, dataset, tmp_path, factors):
    """Retrainings that gain a quarter of what a probe gains: less their luck they are about its credits."""
    rows = TrainedRows.trained(dataset)
    probe = stand_in_artifact.load_stand_in(made.path)
    nothing = probe.losses(np.zeros(len(rows.owner))).mean()

    def trained(kind, kept, name):
        return made_evaluation(
            tmp_path, kind, 2 - 0.25 * float(nothing - probe.losses(kept.astype(float)).mean()), name
        )

    adapters = [trained("adapter", np.ones(len(rows.owner)), seed) for seed in (0, 1)]
    credits = [made_credit(tmp_path, dataset, seed, dict.fromkeys(rows.names, 0.1 + seed / 100)) for seed in (0, 1)]
    first = [Job(design="rates", seed=number % 2, number=number, factors=factors) for number in range(4)]
    asked = [job.model_copy(update={"run": run}) for job in first for run in range(len(repetition(job, rows)))]
    retrained = {job: trained("retraining", row_mask(job, rows), f"{factors}: {job}") for job in asked}
    evidence = measurements(dataset, adapters, credits=credits, probes=[made], retrainings=retrained)

    off = []
    for some in (evidence, with_others(evidence, probes=[])):
        credit = evidence.stand_in.credit * evidence.gain / evidence.stand_in.gained
        averages = [np.bincount(design.groups, weights=credit) for design in some._designs]
        off.append(np.mean([np.abs(d.effects - a).sum() for d, a in zip(some._designs, averages, strict=True)]))

    assert evidence.method == "in-run + probe + rate design"
    assert off[0] < 0.5 * off[1]


def test_a_stand_in_of_another_dataset_is_refused(root, dataset, dialogues, config, adapter):
    """Nothing is written."""
    with pytest.raises(AttributionError, match="learned from dataset"):
        measure(run_of(root, dialogues, [adapter], config), STAND_IN, None)
    assert find(run_of(root, dialogues, [adapter], config), STAND_IN, None) is None
