"""From traces to shares as artifacts: credits do not know names, and the whole sums to what was measured."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.finetuning import tiny
from tests.finetuning.tiny import ignore
from tribute.artifacts import Store, verify_artifact
from tribute.attribution import credits
from tribute.config import AttributionConfig
from tribute.errors import AttributionError
from tribute.finetuning import adapters

CONFIG = AttributionConfig(sample=12, leave_one_out=3)
CARD = {
    "seeds",
    "confidence",
    "measured",
    "integrated",
    "mismatch",
    "total",
    "seed_agreement",
    "leave_one_out",
    "points",
    "sample",
}


def row_scores(dataset, adapter, config, folder):
    """`scores.parquet` of one adapter, computed in this process."""
    folder.mkdir()
    credits.credit_job(dataset, adapter, config, 12, folder / "scratch", folder, ignore)
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
        credits.check_base(other, adapter, config)


def test_an_adapter_of_another_base_is_refused(dataset, adapter, tmp_path):
    """Even one with the same shapes."""
    config = tiny.bert_config(tiny.write_bert(tmp_path / "other", seed=1))

    with pytest.raises(AttributionError, match="learned from base"):
        credits.check_base(dataset, adapter, config)


def test_a_damaged_trace_stops_the_credit(dataset, adapter, config, tmp_path):
    """Its one line passes through the job."""
    copy = replace(adapter, path=tmp_path / "copy")
    (tmp_path / "copy" / "trace").mkdir(parents=True)

    with pytest.raises(AttributionError, match="the trace cannot be read"):
        row_scores(dataset, copy, config, tmp_path / "made")


def made_credit(root, dataset, seed, credit, **facts):
    """A credit artifact with these scores by contributor, on the dataset's rows."""
    train = pd.read_parquet(dataset.file("train.parquet"))
    found = pd.DataFrame({"row_id": train["row_id"], "contributor_id": train["contributor_id"], "query": "algebra"})
    found["credit"] = found["contributor_id"].map(credit) / 12
    integrated = float(found["credit"].sum())
    written = {
        "seed": seed,
        "measured": 2 * integrated,
        "integrated": integrated,
        "sample_improvement": integrated / 1.25,
        "sample": 12,
        "curve": [{"step": 0, "loss": 2.0}, {"step": 12, "loss": 1.0}],
        "drift": 0.001 * (seed + 1),
    } | facts

    def build(folder):
        found.to_parquet(folder / "scores.parquet", index=False)
        (folder / "credit.json").write_text(json.dumps(written))

    return Store(root).make("credit", {}, {"seed": seed, "credit": credit, "facts": facts}, build)


def made_evaluation(root, kind, loss):
    def build(folder):
        (folder / "evaluation.json").write_text(json.dumps({"loss": loss, "before": {"loss": 2.0}}))

    return Store(root).make(kind, {}, {"loss": loss}, build)


@pytest.fixture
def seeds(dataset, tmp_path):
    """Two seeds' credits: cyd best, dan harmful."""
    first = {"ada": 0.3, "bob": 0.1, "cyd": 0.6, "dan": -0.2}
    return [made_credit(tmp_path, dataset, 0, first), made_credit(tmp_path, dataset, 1, first | {"bob": 0.2})]


def test_the_best_and_the_worst_are_left_out(dataset, seeds):
    """And between them some, evenly; nobody who was not trained on, and nobody where none is asked for."""
    chosen = [credits.leave_out(dataset, seeds, AttributionConfig(leave_one_out=count)) for count in (0, 2, 3, 9)]

    assert chosen[0] == []
    assert chosen[1] == ["dan", "cyd"]
    assert {"dan", "cyd"} < set(chosen[2])
    assert chosen[3] == ["dan", "bob", "ada", "cyd"]


def attribution(root, dataset, seeds, effects):
    """Combine seeds with retrainings that end `effects` nats above the full training's 1.5."""
    full = made_evaluation(root, "adapter", 1.5)
    retrainings = {name: made_evaluation(root, "retraining", 1.5 + effect) for name, effect in effects.items()}
    return credits.make_attribution(Store(root), dataset, [full, full], seeds, retrainings, CONFIG)


def test_the_attribution_sums_to_what_was_measured(dataset, seeds, tmp_path):
    """Credits and scores, averaged over the seeds; a contributor without rows is there with 0."""
    made = attribution(tmp_path, dataset, seeds, {})

    shares = pd.read_parquet(made.file("shares.parquet")).set_index("contributor_id")
    total = json.loads(made.file("card.json").read_text())["total"]
    assert total == pytest.approx((2 * 0.8 + 2 * 0.9) / 2)
    assert shares["credit"].sum() == pytest.approx(total)
    assert pd.read_parquet(made.file("scores.parquet"))["credit"].sum() == pytest.approx(total)
    assert shares.loc["absent", "credit"] == 0
    assert shares.loc["dan", "share"] == 0


def test_an_effect_is_what_the_loss_rises_without_the_contributor(dataset, seeds, tmp_path):
    """In nats, positive where it helped; one seed gives no standard error."""
    made = attribution(tmp_path, dataset, seeds, {"cyd": 0.25, "dan": -0.125})

    effects = pd.read_parquet(made.file("effects.parquet")).set_index("contributor_id")
    assert effects["effect"].to_dict() == {"cyd": 0.25, "dan": -0.125}
    assert effects["rows"].to_dict() == {"cyd": 12, "dan": 12}
    assert effects.loc["cyd", "credit"] == pytest.approx(1.2)
    assert effects["effect_se"].isna().all()


def test_the_card_says_how_far_the_shares_can_be_trusted(dataset, seeds, tmp_path):
    """The documented keys, lists in the order of the seeds, and no number that JSON does not know."""
    made = attribution(tmp_path, dataset, seeds, {"dan": -0.1, "ada": 0.1, "cyd": 0.2})

    card = json.loads(made.file("card.json").read_text(), parse_constant=pytest.fail)
    assert card.keys() >= CARD
    assert (card["seeds"], card["confidence"], card["sample"], card["points"]) == ([0, 1], 0.9, 12, 2)
    assert card["integrated"] == pytest.approx([0.8, 0.9])
    assert card["mismatch"] == pytest.approx([-0.5, -0.5])
    assert card["seed_agreement"] == pytest.approx(1)
    assert card["leave_one_out"] == {"contributors": ["dan", "ada", "cyd"], "spearman": 1.0, "seeds": 1}


@pytest.mark.parametrize("effects", [{}, {"dan": -0.1, "cyd": 0.2}, {"dan": 0.1, "ada": 0.1, "cyd": 0.1}])
def test_a_rank_correlation_that_says_nothing_is_null(dataset, seeds, tmp_path, effects):
    """Of fewer than three points, or of effects that are all the same."""
    made = attribution(tmp_path, dataset, seeds, effects)

    card = json.loads(made.file("card.json").read_text(), parse_constant=pytest.fail)
    assert card["leave_one_out"]["spearman"] is None


def test_a_fine_tune_that_improved_nothing_is_not_attributed(dataset, seeds, tmp_path):
    """One seed suffices; nothing is left behind."""
    worse = made_credit(tmp_path, dataset, 2, {"ada": 0.1, "bob": 0, "cyd": 0, "dan": 0}, measured=-0.3)

    with pytest.raises(AttributionError, match=r"by \+0\.3000 nats"):
        attribution(tmp_path, dataset, [*seeds, worse], {})

    assert list((tmp_path / "artifacts" / "attribution").iterdir()) == []


@pytest.fixture(scope="module")
def causal(root, dialogues, llama):
    """A causal model taken all the way, by the functions that the stages call, in child processes."""
    store, scratch = Store(root), root / "scratch"
    config = tiny.llama_config(llama, learning_rate=5e-3, trace_states=40)
    trained = [
        adapters.make_adapter(store, dialogues, config, seed, scratch, lambda folder: {}, ignore) for seed in (0, 1)
    ]
    credited = [credits.make_credit(store, dialogues, adapter, CONFIG, config, scratch, ignore) for adapter in trained]
    chosen = credits.leave_out(dialogues, credited, AttributionConfig(leave_one_out=1))
    left = {name: adapters.make_retraining(store, dialogues, config, 0, name, scratch, ignore) for name in chosen}
    return trained, credited, credits.make_attribution(store, dialogues, trained, credited, left, CONFIG)


def test_a_causal_model_is_attributed_end_to_end(causal, dialogues):
    """From a dataset version to shares, on a tiny Llama: every artifact verifies and leads to the next."""
    trained, credited, made = causal

    for artifact in (*trained, *credited, made):
        assert verify_artifact(artifact.path) == artifact
    assert [credit.inputs["adapter"] for credit in credited] == [adapter.id for adapter in trained]
    assert made.inputs["dataset"] == dialogues.id
    assert set(made.identity["files"]) == {"scores.parquet", "shares.parquet", "effects.parquet", "card.json"}


def test_a_causal_models_credits_sum_to_its_gain(causal):
    """The credits meet the fall on the sample, and the shares sum to the measured one."""
    trained, credited, made = causal

    facts = [json.loads(credit.file("credit.json").read_text()) for credit in credited]
    card = json.loads(made.file("card.json").read_text())
    shares = pd.read_parquet(made.file("shares.parquet"))
    gains = [json.loads(adapter.file("evaluation.json").read_text()) for adapter in trained]
    assert all(abs(fact["integrated"] / fact["sample_improvement"] - 1) < 0.03 for fact in facts)
    assert card["measured"] == pytest.approx([gain["before"]["loss"] - gain["loss"] for gain in gains])
    assert shares["credit"].sum() == pytest.approx(np.mean(card["measured"]))
    assert shares["share"].sum() == pytest.approx(1)


def test_a_credit_is_computed_once(causal, root, dialogues):
    """The second call finds the folder."""
    trained, credited, _ = causal

    assert credits.find_credit(Store(root), dialogues, trained[0], CONFIG) == credited[0]
    assert credits.find_credit(Store(root), dialogues, trained[0], AttributionConfig(sample=13)) is None
