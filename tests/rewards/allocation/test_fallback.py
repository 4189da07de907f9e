"""Theorem: where the card does not pass, tokens pay, all of the pool, and neither verdict nor tokens can be forged."""

import functools

import pandas as pd
import pytest

from tests.rewards.helpers.cards import UNMEASURED
from tests.rewards.helpers.forging import edit, other_weight, rewrite
from tests.rewards.helpers.world import TOKENS_POLICY
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.period.read import read_rewards
from tribute.rewards.verification.verify import verify_period


def test_a_passed_card_pays_by_credit_and_a_failed_one_by_tokens(paid, fallen):
    """Every line says by which rule; by tokens, one whose credit is within its uncertainty is paid too."""
    by_credit, by_tokens = (read_rewards(one.path).set_index("contributor_id") for one in (paid, fallen))

    assert set(by_credit["rule"]) == {"credit"}
    assert set(by_tokens["rule"]) == {"tokens"}
    assert by_tokens["amount_minor"].sum() == 100_000
    assert by_tokens.loc["faint", "amount_minor"] > 0 == by_credit.loc["faint", "amount_minor"]
    assert by_tokens[by_tokens["amount_minor"] == 0]["status"].to_dict() == {
        "absent": "zero_no_training_row",
        "copycat": "zero_all_excluded",
        "scrambler": "zero_credit_below_zero",
    }


def test_by_tokens_the_weights_are_the_tokens_of_the_attribution(make, tmp_path):
    """tokens.parquet is what weighs, exactly; who is surely below 0 weighs nothing."""
    world = make(tmp_path / "world", card=UNMEASURED, tokens=lambda table: table.assign(tokens=table["tokens"] ** 3))

    lines = read_rewards(world.pay(tmp_path / "w").path).set_index("contributor_id")

    tokens = pd.read_parquet(world.attribution.file("tokens.parquet")).set_index("contributor_id")["tokens"]
    assert set(lines["weight_den"]) == {1}
    assert lines["weight_num"].to_dict() == tokens.to_dict() | {"scrambler": 0}


def test_nobody_above_the_uncertainty_can_still_be_paid_by_tokens(make, tmp_path):
    """What credit cannot divide, tokens can."""
    world = make(tmp_path / "world", card=UNMEASURED, shares=lambda shares: shares.assign(se=1.0, high=1.0))

    lines = read_rewards(world.pay(tmp_path / "w").path)

    assert lines["amount_minor"].sum() == 100_000


def test_the_folder_keeps_the_card_as_the_attribution_wrote_it(world, paid):
    """Byte for byte, so that its sha256 is the one in the attribution's manifest."""
    kept = paid.identity["files"]["card.json"]

    assert kept == world.attribution.identity["files"]["card.json"]


def test_another_gate_pays_the_period_again(world, tmp_path):
    """A policy that skips every check pays by credit; one whose check cannot pass, by tokens."""
    shipped = TOKENS_POLICY.read_text(encoding="utf-8")
    strict, skipped = tmp_path / "strict.yaml", tmp_path / "skipped.yaml"
    strict.write_text(shipped.replace('seed_split: "0.3"', 'seed_split: "0.01"'), encoding="utf-8")
    keys = {"leave_one_out_margin": '"0.1"', "duplicate_excluded": "true"}
    keys |= {"shuffled_below_zero": "true", "seed_split": '"0.3"'}
    skipped.write_text(functools.reduce(_skip, keys.items(), shipped), encoding="utf-8")

    rules = [set(read_rewards(world.pay(tmp_path / "w", policy=one).path)["rule"]) for one in (strict, skipped)]

    assert rules == [{"tokens"}, {"credit"}]


def _skip(policy, setting):
    key, value = setting
    assert f"{key}: {value}" in policy
    return policy.replace(f"{key}: {value}", f"{key}: null")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda table: table.assign(tokens=0), r"tokens\.parquet: no tokens of faint, who has rows in train\.parquet"),
        (lambda table: table[1:], r"tokens\.parquet: no tokens of faint, who has rows in train\.parquet"),
        (
            lambda table: table.replace({"contributor_id": {"numpy": "stranger"}}),
            r"tokens\.parquet: stranger is not a contributor of docs@v1\.0\.0",
        ),
    ],
)
def test_tokens_that_do_not_fit_are_refused(make, tmp_path, fault, message):
    """Who was trained on has tokens, and nobody else is counted."""
    with pytest.raises(RewardError, match=message):
        make(tmp_path / "world", tokens=fault).pay(tmp_path / "w")


def test_a_good_period_paid_by_tokens_is_described(fallen):
    """The verdict and what it rests on stand among the checks."""
    checks = verify_period(fallen.path)

    failed = "leave-one-out rank, planted duplicates, planted shuffled labels"
    assert f"the attribution card fails ({failed}), judged anew by the policy's gate: paid by tokens" in checks
    assert "every weight is tokens, or 0 where score_high < 0" in checks


def pass_it(verdict):
    verdict |= {"passed": True, "rule": "credit"}
    for check in verdict["checks"]:
        check["passed"] = True


def other_figure(verdict):
    verdict["checks"][3]["found"] = "0.001"


@pytest.mark.parametrize("change", [pass_it, other_figure, lambda verdict: verdict["checks"].pop()])
def test_a_forged_verdict_is_found_behind_fresh_hashes(fallen_folder, change):
    """The verdict is judged anew from the card, so neither it nor its figures can be written by hand."""
    rewrite(fallen_folder, "gate.json", change)

    with pytest.raises(IntegrityError, match=r"gate\.json: not what card\.json .* say, which is to pay by tokens"):
        verify_period(fallen_folder)


def test_a_forged_card_does_not_fit_its_verdict(folder):
    """A card's figure that was changed leads to another verdict than the one that was written."""
    rewrite(folder, "card.json", lambda card: card.update(seed_split=0.31))

    with pytest.raises(IntegrityError, match=r"gate\.json: not what card\.json .* say, which is to pay by tokens"):
        verify_period(folder)


def test_a_line_paid_by_the_other_rule_is_found(folder):
    """Everybody is paid by the rule of the verdict."""
    edit(folder, "allocation", lambda rows: rows[5].update(rule="tokens"))

    with pytest.raises(IntegrityError, match=r"allocation\.csv: numpy: rule tokens, gate\.json says credit"):
        verify_period(folder)


def more_tokens(rows):
    next(row for row in rows if row["contributor_id"] == "numpy")["tokens"] = "9999"


def no_tokens(rows):
    return [row for row in rows if row["contributor_id"] != "numpy"]


def new_tokens(rows):
    next(row for row in rows if row["contributor_id"] == "copycat")["tokens"] = "5"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tokens", more_tokens, r"allocation\.csv: numpy: the weight is not tokens, or 0 where score_high < 0"),
        ("tokens", no_tokens, r"tokens\.csv: numpy has trained rows and no tokens"),
        ("tokens", new_tokens, r"tokens\.csv: copycat has tokens and no trained row"),
        ("allocation", lambda rows: rows[8].update(score_high="0.1"), r"scrambler: the weight is not tokens"),
        ("allocation", other_weight, r"allocation\.csv: numpy: the weight is not tokens"),
    ],
)
def test_forged_tokens_are_found_behind_fresh_hashes(fallen_folder, name, change, message):
    """By tokens, every weight is counted anew."""
    edit(fallen_folder, name, change)

    with pytest.raises(IntegrityError, match=message):
        verify_period(fallen_folder)
