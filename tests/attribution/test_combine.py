"""The attribution artifact: what seeds, retrainings and controls say together sums to what was measured."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import CONFIG, measurements, run_of, with_others
from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import Kind, Store, verify_artifact
from tribute.attribution import combine
from tribute.attribution.credit import inrun_artifact
from tribute.attribution.measurement import find, measure
from tribute.attribution.plan import CONTROLS, EFFECTS, INRUN
from tribute.attribution.retraining.jobs import Job
from tribute.config import AttributionConfig
from tribute.errors import AttributionError
from tribute.finetuning.adapters import adapters

FILES = {"scores.parquet", "shares.parquet", "effects.parquet", "tokens.parquet", "card.json"}


def made_credit(root, dataset, seed, credit, parts=1 / 12, **facts):
    """A credit artifact with these scores by contributor, on the dataset's rows in these parts."""
    train = pd.read_parquet(dataset.file("train.parquet"))
    found = pd.DataFrame({"row_id": train["row_id"], "contributor_id": train["contributor_id"], "query": "algebra"})
    found["credit"] = found["contributor_id"].map(credit) * parts
    integrated = float(found["credit"].sum())
    written = {
        "seed": seed,
        "measured": 1.25 * integrated,
        "integrated": integrated,
        "sample": 12,
        "curve": [{"step": 0, "loss": 2.0}, {"step": 12, "loss": 1.0}],
        "drift": 0.001 * (seed + 1),
    } | facts

    def build(folder):
        found.to_parquet(folder / "scores.parquet", index=False)
        folds = {f"fold_{fold}": found["credit"] for fold in range(8)}
        found[["row_id"]].assign(**folds).to_parquet(folder / "folds.parquet", index=False)
        train[["row_id", "contributor_id"]].assign(tokens=7, held_out=False).to_parquet(
            folder / "rows.parquet", index=False
        )
        (folder / "credit.json").write_text(json.dumps(written))

    return Store(root).make(
        inrun_artifact.CREDIT, {}, {"seed": seed, "credit": credit, "parts": np.mean(parts**2), "facts": facts}, build
    )


def made_evaluation(root, kind, loss, seed):
    """An artifact that holds nothing but an evaluation."""

    def build(folder):
        (folder / "evaluation.json").write_text(json.dumps({"loss": loss, "before": {"loss": 2.0}}))
        losses = {"row_id": [f"e:{row}" for row in range(40)], "before": 2.0, "loss": loss}
        pd.DataFrame(losses).to_parquet(folder / "losses.parquet")

    return Store(root).make(Kind(kind, __name__), {}, {"loss": loss, "seed": seed, "lora": {"layers": [5]}}, build)


@pytest.fixture
def seeds(dataset, tmp_path):
    """Two seeds' credits: cyd best, dan harmful."""
    first = {"ada": 0.3, "bob": 0.1, "cyd": 0.6, "dan": -0.2}
    return [made_credit(tmp_path, dataset, 0, first), made_credit(tmp_path, dataset, 1, first | {"bob": 0.2})]


def attribution(root, dataset, seeds, effects):
    """Combine seeds with retrainings that end `effects` nats above the full training's 1.5."""
    return combine.make_attribution(Store(root), evidence(root, dataset, seeds, effects), CONFIG)


def evidence(root, dataset, seeds, effects):
    """Both seeds left out whom `effects` names."""
    full = [made_evaluation(root, "adapter", 1.5, seed) for seed in (0, 1)]
    left = {
        Job(design="leave-out", contributor=name, seed=seed): made_evaluation(root, "retraining", 1.5 + effect, seed)
        for name, effect in effects.items()
        for seed in (0, 1)
    }
    return measurements(dataset, full, credits=seeds, retrainings=left)


def test_the_attribution_sums_to_what_was_measured(dataset, seeds, tmp_path):
    """Credits and scores, averaged over the seeds; a contributor without rows is there with 0."""
    made = attribution(tmp_path, dataset, seeds, {})

    shares = pd.read_parquet(made.file("shares.parquet")).set_index("contributor_id")
    total = json.loads(made.file("card.json").read_text())["total"]
    assert total == pytest.approx(1.25 * (0.8 + 0.9) / 2)
    assert shares["credit"].sum() == pytest.approx(total)
    assert pd.read_parquet(made.file("scores.parquet"))["credit"].sum() == pytest.approx(total)
    assert shares.loc["absent", "credit"] == 0
    assert shares.loc["dan", "share"] == 0


def test_few_evaluation_rows_give_no_interval(dataset, tmp_path):
    """Credits stay, their intervals are not given, and nobody can be told from distinct content."""
    credit = {"ada": 0.3, "bob": 0.1, "cyd": 0.6, "dan": -0.2}
    few = [made_credit(tmp_path, dataset, seed, credit, sample=9) for seed in (0, 1)]
    made = attribution(tmp_path, dataset, few, {})

    shares, card = pd.read_parquet(made.file("shares.parquet")), json.loads(made.file("card.json").read_text())
    assert shares[["low", "high"]].isna().all(axis=None)
    assert shares["credit"].notna().all()
    assert not card["intervals"]
    assert card["told_from_content"] == {"names": 0, "of": 4}


def test_credits_are_told_from_content(dataset, seeds, tmp_path):
    """These are far apart and hardly scatter; the same rows' content is nearly even."""
    card = json.loads(attribution(tmp_path, dataset, seeds, {}).file("card.json").read_text())

    assert card["intervals"]
    assert card["told_from_content"]["of"] == 4
    assert card["told_from_content"]["names"] >= 1


def test_an_effect_is_what_the_loss_rises_without_the_contributor(dataset, seeds, tmp_path):
    """In nats, positive where it helped; the mean over seeds, with its standard error."""
    made = attribution(tmp_path, dataset, seeds, {"cyd": 0.25, "dan": -0.125})

    effects = pd.read_parquet(made.file("effects.parquet")).set_index("contributor_id")
    assert effects["effect"].to_dict() == {"cyd": 0.25, "dan": -0.125}
    assert effects["rows"].to_dict() == {"cyd": 12, "dan": 12}
    assert effects.loc["cyd", "credit"] == pytest.approx(0.75)
    assert effects["effect_se"].tolist() == [0, 0]
    assert effects["predicted"].isna().all()


def test_the_2n_design_gives_shapley_values(dataset, seeds, tmp_path):
    """From everybody alone and everybody left out; they sum to what was gained, here 2.0 to 1.5."""
    left = dict.fromkeys(("ada", "bob", "cyd", "dan"), 0.1) | {"cyd": 0.2}
    known = evidence(tmp_path, dataset, seeds, left)
    alone = {
        Job(design="alone", contributor=name, seed=seed): made_evaluation(tmp_path, "retraining", 2.0 - gain, seed)
        for name, gain in (("ada", 0.1), ("bob", 0.1), ("cyd", 0.4), ("dan", 0.1))
        for seed in (0, 1)
    }

    more = with_others(known, retrainings={**known.retrainings, **alone})
    made = combine.make_attribution(Store(tmp_path), more, CONFIG)

    effects = pd.read_parquet(made.file("effects.parquet")).set_index("contributor_id")
    assert effects["alone"].to_dict() == pytest.approx({"ada": 0.1, "bob": 0.1, "cyd": 0.4, "dan": 0.1})
    assert effects["shapley"].to_dict() == pytest.approx({"ada": 0.075, "bob": 0.075, "cyd": 0.275, "dan": 0.075})


def test_the_card_says_how_well_a_proxy_ranks(dataset, seeds, tmp_path):
    """Against the same contributors left out of the whole training."""
    known = evidence(tmp_path, dataset, seeds, {"dan": -0.1, "ada": 0.1, "cyd": 0.2})
    whole = {
        Job(design="in-full", contributor=name, seed=0): made_evaluation(tmp_path, "retraining", 1.5 + effect, 0)
        for name, effect in (("dan", 0.1), ("ada", 0.05), ("cyd", 0.3))
    }
    config = CONFIG.model_copy(update={"proxy": True})

    more = with_others(known, retrainings={**known.retrainings, **whole})
    made = combine.make_attribution(Store(tmp_path), more, config)

    assert made.json("card.json")["proxy"] == {"layers": [5], "spearman": pytest.approx(0.5)}


def test_the_card_says_how_far_the_shares_can_be_trusted(dataset, seeds, tmp_path):
    """Lists in the order of the seeds, no number that JSON does not know, and null where nothing was measured."""
    made = attribution(tmp_path, dataset, seeds, {"dan": -0.1, "ada": 0.1, "cyd": 0.2})

    card = json.loads(made.file("card.json").read_text(), parse_constant=pytest.fail)
    assert (card["seeds"], card["confidence"], card["sample"], card["points"]) == ([0, 1], 0.9, 12, 2)
    assert card["integrated"] == pytest.approx([0.8, 0.9])
    assert card["mismatch"] == pytest.approx([-0.2, -0.2])
    assert card["seed_agreement"] == pytest.approx(1)
    assert card["leave_one_out"] == {
        "contributors": ["dan", "ada", "cyd"],
        "seeds": 2,
        "spearman": None,
        "credit_spearman": 1.0,
        "slope": None,
        "ceiling": 1.0,
    }
    assert [card[name] for name in ("controls", "lds", "coalitions", "coverage", "proxy")] == [None] * 5


@pytest.mark.parametrize("effects", [{}, {"dan": -0.1, "cyd": 0.2}, {"dan": 0.1, "ada": 0.1, "cyd": 0.1}])
def test_a_rank_correlation_that_says_nothing_is_null(dataset, seeds, tmp_path, effects):
    """Of fewer than three points, or of effects that are all the same."""
    made = attribution(tmp_path, dataset, seeds, effects)

    card = json.loads(made.file("card.json").read_text(), parse_constant=pytest.fail)
    assert card["leave_one_out"]["credit_spearman"] is None


def test_a_fine_tune_that_improved_nothing_is_not_attributed(dataset, seeds, tmp_path):
    """One seed suffices; nothing is left behind."""
    worse = made_credit(tmp_path, dataset, 2, {"ada": 0.1, "bob": 0, "cyd": 0, "dan": 0}, measured=-0.3)

    with pytest.raises(AttributionError, match=r"seed 2: .* by \+0\.3000 nats: there is no improvement to attribute"):
        attribution(tmp_path, dataset, [*seeds, worse], {})

    assert list((tmp_path / "artifacts" / "attribution").iterdir()) == []


def test_a_walk_that_misses_the_gain_is_named(dataset, tmp_path):
    """Where no witness is left: the seed, both numbers, the setting that helps; nothing is left behind."""
    worth = {"ada": 0.3, "bob": 0.1, "cyd": 0.1, "dan": 0.0}
    lost = [made_credit(tmp_path, dataset, seed, worth, measured=0.2 - 0.01 * seed) for seed in (0, 1)]

    with pytest.raises(
        AttributionError, match=r"seed 1: the credits .* sum to 0\.5000 nats, .* fell by 0\.1900; raise"
    ):
        attribution(tmp_path, dataset, lost, {})

    assert list((tmp_path / "artifacts" / "attribution").iterdir()) == []


@pytest.mark.parametrize(("measured", "weight"), [(0.5 / 1.19, 1.0), (0.5 / 1.35, 0.5), (0.5 / 1.51, 0.0)])
def test_a_mismatch_lowers_the_weight_of_a_seed(dataset, tmp_path, measured, weight):
    """In full up to 20 %, not at all from 50 % on; the card says by how much each seed missed."""
    worth = {"ada": 0.3, "bob": 0.1, "cyd": 0.1, "dan": 0.0}
    seen = [
        made_credit(tmp_path, dataset, seed, worth, **facts) for seed, facts in ((0, {}), (1, {"measured": measured}))
    ]

    found = evidence(tmp_path, dataset, seen, {})

    assert [witness.weight for witness in found.in_run] == [1.0, pytest.approx(weight)]


@pytest.fixture(scope="module")
def causal(root, dialogues, llama):
    """A causal model taken all the way, by the functions that the stages call, in child processes."""
    config = tiny.llama_config(llama, learning_rate=5e-3, trace_states=40)
    recipes = [adapters.adapter(dialogues, config, seed) for seed in (0, 1)]
    run = run_of(root, dialogues, [recipe.make(Store(root), root / "scratch", ignore) for recipe in recipes], config)
    full = replace(run, config=run.config.model_copy(update={"attribution": AttributionConfig(validation="full")}))
    found = measurements(
        dialogues,
        run.adapters,
        credits=[measure(run, INRUN, seed) for seed in (0, 1)],
        controls=[measure(run, CONTROLS, seed) for seed in (0, 1)],
        influences=[measure(full, EFFECTS, 0)],
    )
    return found, combine.make_attribution(run.store, found, CONFIG)


def test_a_causal_model_is_attributed_end_to_end(causal, dialogues):
    """From a dataset version to shares, on a tiny Llama: every artifact verifies and leads to the next."""
    found, made = causal

    for artifact in (*found.adapters, *found.credits, *found.controls, *found.influences, made):
        assert verify_artifact(artifact.path) == artifact
    assert [credit.inputs["adapter"] for credit in found.credits] == [adapter.id for adapter in found.adapters]
    assert made.inputs["dataset"] == dialogues.id
    assert set(made.identity["files"]) == FILES


def test_a_causal_models_credits_sum_to_its_gain(causal):
    """The credits meet the fall on the sample, and the shares sum to the measured one."""
    found, made = causal

    facts = [json.loads(credit.file("credit.json").read_text()) for credit in found.credits]
    card = json.loads(made.file("card.json").read_text())
    shares = pd.read_parquet(made.file("shares.parquet"))
    gains = [json.loads(adapter.file("evaluation.json").read_text()) for adapter in found.adapters]
    fallen = [fact["curve"][0]["loss"] - fact["curve"][-1]["loss"] for fact in facts]
    assert [fact["integrated"] for fact in facts] == pytest.approx(fallen, rel=0.03)
    assert card["measured"] == pytest.approx([gain["before"]["loss"] - gain["loss"] for gain in gains])
    assert shares["credit"].sum() == pytest.approx(np.mean(card["measured"]))
    assert shares["share"].sum() == pytest.approx(1)


def test_a_credit_is_computed_once(causal, root, dialogues, llama):
    """The second call finds the folder."""
    measured, _ = causal
    run = run_of(root, dialogues, measured.adapters, tiny.llama_config(llama))
    other = run_of(root, dialogues, measured.adapters, tiny.llama_config(llama), AttributionConfig(sample=13))

    assert find(run, INRUN, 0) == measured.credits[0]
    assert find(other, INRUN, 0) is None
