"""A probe gains what the fine-tune gained, knows which rows teach the same, and is a witness that moves the shares."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax

from tests.attribution.helpers.runs import measurements, run_of, with_others
from tests.attribution.test_combine import made_credit, made_evaluation
from tribute.artifacts import Store, verify_artifact
from tribute.attribution.credit import probe_artifact
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.probe_artifact import PROBE
from tribute.attribution.measurement import find, measure
from tribute.attribution.retraining.jobs import Job, TrainedRows, repetition, row_mask
from tribute.errors import AttributionError, IntegrityError

pytestmark = pytest.mark.numeric

EVEN = np.full(60, 1 / 60)
OWNER = np.repeat([0, 1, 2, 3], 20)
"""0 and 1 teach the same two labels, 2 all alone the third, and 3 has wrong labels."""


@pytest.fixture(scope="module")
def probe():
    """Three labels in eight dimensions; the start knows their directions only in part."""
    chance = np.random.default_rng(0)
    centres = np.linalg.qr(chance.normal(size=(8, 3)))[0].T

    def embedded(targets):
        found = centres[targets] + chance.normal(0, 0.4, (len(targets), 8))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    true = np.array([*[0, 1] * 20, *[2] * 20, *[0, 1, 2, 1] * 5])
    targets = np.array([*true[:60], *(true[60:] + 1) % 3])
    answers = np.arange(60) % 3
    head = (centres + chance.normal(0, 0.5, centres.shape)).astype(np.float32)
    return Probe(embedded(true), targets, embedded(answers), answers, head, scale=5.0)


def gain(probe):
    everything = np.ones(len(probe.train), dtype=bool)
    return float((probe.losses(~everything) - probe.losses(everything)).mean())


def test_without_rows_the_probe_is_where_it_began(probe):
    """The loss of the labels' own embeddings."""
    logits = 5.0 * probe.evaluation @ probe.head.T

    found = replace(probe, length=0.3).losses(np.zeros(80, dtype=bool))

    assert found == pytest.approx(-log_softmax(logits, axis=1)[np.arange(60), probe.answers], abs=1e-5)


def test_steps_are_as_long_as_it_takes_to_gain_what_the_fine_tune_gained(probe):
    """And no longer: a shorter one gains less."""
    found = probe.fitted(0.1)

    assert 0.1 <= gain(found) < 0.14
    assert gain(replace(found, length=found.length / 1.13)) < 0.1


def test_a_probe_that_cannot_gain_as_much_gains_what_it_can(probe):
    """More than with much shorter or longer steps."""
    found = probe.fitted(99.0)

    assert gain(found) > max(gain(replace(found, length=found.length * factor)) for factor in (0.5, 2.0))


def test_few_rows_move_the_probe_as_far_as_many(probe):
    """Steps are of one length, as Adam's are: half of the rows gain far more than half."""
    found = probe.fitted(0.1)
    half = np.arange(80) % 2 == 0
    nobody = found.losses(np.zeros(80, dtype=bool)).mean()

    assert nobody - found.losses(half).mean() > 0.7 * gain(found)


def test_credits_know_who_can_be_spared_and_who_harms(probe):
    """A row of those who teach the same earns less than one of him who teaches alone; wrong labels cost."""
    found = probe.fitted(0.1).credits(OWNER, np.arange(4), EVEN)

    assert found[3] < 0
    assert found[2] > 1.3 * max(found[0], found[1])
    assert found[0] == pytest.approx(found[1], abs=0.4 * found[2])


def test_credits_do_not_hang_on_names(probe):
    """The teacher of the third label under two names earns in all what it earned, up to the draws."""
    fitted = probe.fitted(0.1)
    split = np.where((OWNER == 2) & (np.arange(80) % 2 == 0), 4, OWNER)

    whole = fitted.credits(OWNER, np.arange(4), EVEN)
    parts = fitted.credits(split, np.arange(5), EVEN)

    assert parts[2] + parts[4] == pytest.approx(whole[2], rel=0.2)


def test_folds_are_read_in_the_same_pass(probe):
    """A column of weights each; columns that add up to the whole have credits that do."""
    fitted, halves = probe.fitted(0.1), np.stack([EVEN * (np.arange(60) < 30), EVEN * (np.arange(60) >= 30)], axis=1)

    parts = fitted.credits(OWNER, np.arange(4), halves)

    assert parts.shape == (2, 4)
    assert parts.sum(0) == pytest.approx(fitted.credits(OWNER, np.arange(4), EVEN))


@pytest.fixture
def witnessed(tmp_path, dataset):
    """Two seeds whose in-run credit takes ada for as good as cyd, beside a probe that knows better."""
    equal = {"ada": 0.2, "bob": 0.1, "cyd": 0.2, "dan": -0.1}
    credits = [made_credit(tmp_path, dataset, seed, equal | {"bob": 0.1 + 0.01 * seed}) for seed in (0, 1)]
    adapters = [made_evaluation(tmp_path, "adapter", 1.5, seed) for seed in (0, 1)]
    return measurements(dataset, adapters, credits=credits, probes=[made_probe(tmp_path, [0.6, 0.2, 0.2, -0.1])])


def made_probe(root, credit, wanted=0.9):
    """A probe artifact that says this of ada, bob, cyd and dan."""
    facts = {"blocks": [0, 1, 2, 3], "credit": credit, "folds": [credit] * 8, "length": 0.1}
    facts |= {"wanted": wanted, "gained": sum(credit)}

    def build(folder):
        (folder / "probe.json").write_text(json.dumps(facts))

    return Store(root).make(probe_artifact.KIND, {}, {"credit": credit}, build)


def test_without_retraining_probe_and_in_run_count_for_the_same(witnessed):
    """Halfway between, on the run's own total; their distance is in the intervals."""
    apart, alone = witnessed.estimate(), with_others(witnessed, probes=[]).estimate()

    scaled = np.array([0.6, 0.2, 0.2, -0.1]) / 0.9 * witnessed.gain
    assert apart.credit == pytest.approx((alone.credit + scaled) / 2, abs=0.02)
    assert apart.credit.sum() == pytest.approx(witnessed.gain)
    assert (apart.margin(0.9) > np.abs(scaled - alone.credit) / 2)[[0, 2]].all()
    assert (alone.margin(0.9) < np.abs(scaled - alone.credit) / 2)[[0, 2]].all()
    assert (witnessed.method, with_others(witnessed, probes=[]).method) == ("in-run + probe", "in-run")


@pytest.mark.parametrize("credit", [[-0.1, 0.0, 0.05, -0.1], [0.02, -0.01, -0.02, 0.0101], [0.2, 0.1, 0.1, 0.0]])
def test_a_probe_that_learned_little_is_no_witness(witnessed, tmp_path, credit):
    """Blown up to what the run gained it would say anything; less than half of that leaves in-run as it was."""
    useless = with_others(witnessed, probes=[made_probe(tmp_path, credit)])

    assert useless.estimate().credit == pytest.approx(with_others(witnessed, probes=[]).estimate().credit)
    assert useless.method == "in-run"


def test_a_probe_that_was_changed_is_refused(witnessed):
    """It decides what is paid."""
    path = witnessed.probes[0].file("probe.json")
    path.chmod(0o644)
    path.write_text(path.read_text().replace("0.6", "0.9"))

    with pytest.raises(IntegrityError, match=r"probe\.json"):
        replace(witnessed)


@pytest.fixture(scope="module")
def made(root, dataset, config, adapter):
    """The probe of seed 0's adapter on the tiny base, in a child process."""
    return measure(run_of(root, dataset, [adapter], config), PROBE, None)


def test_the_artifact_holds_the_probe_and_what_it_says(made, dataset, adapter, root, config):
    """Its credits are those of the probe that is read back, and sum to about what it gained."""
    facts = made.json("probe.json")
    loaded = probe_artifact.load_probe(made.path, facts["length"])
    rows = TrainedRows.trained(dataset)
    even = np.full(len(loaded.answers), 1 / len(loaded.answers))

    assert verify_artifact(made.path) == made
    assert find(run_of(root, dataset, [adapter], config), PROBE, None) == made
    assert facts["blocks"] == [0, 1, 2, 3]
    assert np.shape(facts["folds"]) == (8, 4)
    assert loaded.credits(rows.owner, np.arange(4), even) == pytest.approx(facts["credit"], abs=1e-6)
    fallen = adapter.json("evaluation.json")
    assert facts["wanted"] == pytest.approx(fallen["before"]["loss"] - fallen["loss"])


@pytest.mark.parametrize("factors", [7, 2])
def test_what_was_drawn_is_taken_off_by_the_probe(made, dataset, tmp_path, factors):
    """Retrainings that gain a quarter of what a probe gains: less their luck they hardly differ from the average."""
    rows, facts = TrainedRows.trained(dataset), made.json("probe.json")
    probe = probe_artifact.load_probe(made.path, facts["length"])
    nothing = probe.losses(np.zeros(len(rows.owner), dtype=bool)).mean()

    def trained(kind, kept_rows, name):
        return made_evaluation(tmp_path, kind, 2 - 0.25 * float(nothing - probe.losses(kept_rows).mean()), name)

    adapters = [trained("adapter", np.ones(len(rows.owner), dtype=bool), seed) for seed in (0, 1)]
    credits = [made_credit(tmp_path, dataset, seed, dict.fromkeys(rows.names, 0.1 + seed / 100)) for seed in (0, 1)]
    first = [Job(design="rates", seed=number % 2, number=number, factors=factors) for number in range(4)]
    asked = [one.model_copy(update={"run": run}) for one in first for run in range(len(repetition(one, rows)))]
    found = {job: trained("retraining", row_mask(job, rows), f"{factors}: {job}") for job in asked}
    evidence = measurements(dataset, adapters, credits=credits, probes=[made], retrainings=found)

    off = []
    for some in (evidence, with_others(evidence, probes=[])):
        scale = evidence.gain / sum(facts["credit"])
        averages = [np.bincount(blocks, weights=facts["credit"]) * scale for blocks, _ in some._designed]
        off.append(np.mean([np.abs(one - true).sum() for (_, one), true in zip(some._designed, averages, strict=True)]))

    assert evidence.method == "in-run + probe + rate design"
    assert off[0] < 0.5 * off[1]


def test_a_probe_of_another_dataset_is_refused(root, dataset, dialogues, config, adapter):
    """Nothing is written."""
    with pytest.raises(AttributionError, match="learned from dataset"):
        measure(run_of(root, dialogues, [adapter], config), PROBE, None)
    assert find(run_of(root, dialogues, [adapter], config), PROBE, None) is None
