"""Property: a policy is exact and strict; each in tests/bad/rewards/policies is refused."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.config import load_config
from tribute.errors import ConfigError
from tribute.rewards.policy.policy import Gate, Policy, Pool, load_policy
from tribute.settings import Strict

ROOT = Path(__file__).parents[3]
BAD = sorted((ROOT / "tests" / "bad" / "rewards" / "policies").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_policy_is_refused_with_its_message(path):
    """Each bad policy is refused with the message that stands in the .txt beside it."""
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").strip()

    with pytest.raises(ConfigError) as raised:
        load_policy(path)

    assert str(raised.value).removeprefix(f"{path}") == expected


def test_the_shipped_policy_is_good():
    """configs/policy.yaml is read, and κ is 1 as in the contracts."""
    policy = load_policy(ROOT / "configs" / "policy.yaml")

    assert policy.exact_kappa == 1


def test_the_gate_is_the_contract_s(tmp_path):
    """The shipped policy writes out the contract's defaults and asks for one check more; null skips a check."""
    shipped = load_policy(ROOT / "configs" / "policy.yaml").gate
    path = tmp_path / "policy.yaml"
    path.write_text('id: p\nversion: v1.0.0\ndescription: d\ngate: {seed_split: null, leave_one_out_margin: "0.05"}\n')

    gate = load_policy(path).gate

    assert shipped == Gate(told_from_content=True)
    assert gate.told_from_content is None
    assert (shipped.leave_one_out_margin, shipped.seed_split) == ("0.1", "0.3")
    assert (shipped.duplicate_excluded, shipped.shuffled_below_zero) == (True, True)
    assert gate == Gate(seed_split=None, leave_one_out_margin="0.05")


def test_the_policy_for_language_models_asks_all_but_one():
    """Shuffled answers teach how answers look, so the assistant is not paid by a policy that wants them below zero."""
    policy = load_config(ROOT / "configs" / "assistant.yaml").rewards.policy

    gate = load_policy(policy).gate

    assert policy.name == "answers_policy.yaml"
    assert gate == load_policy(ROOT / "configs" / "policy.yaml").gate.model_copy(update={"shuffled_below_zero": None})


def test_a_missing_policy_is_named(tmp_path):
    """A policy that is not there is refused by its path."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_policy(tmp_path / "nowhere.yaml")


@given(st.decimals(min_value=0, max_value=999, places=6))
def test_kappa_is_exact(value):
    """κ is the rational that the text says, without a float between."""
    policy = Policy(id="p", version="v1.0.0", description="d", kappa=f"{value:f}")

    assert policy.exact_kappa == Fraction(value)


def settings(model, prefix=""):
    """Every setting by its dotted name; pools go by any name."""
    for name, field in model.model_fields.items():
        if field.exclude:  # only in policies recorded before 0.2.0
            continue
        inner = Pool if name == "pools" else field.annotation
        dotted = f"{prefix}{name}" + (".<name>" if inner is Pool else "")
        if isinstance(inner, type) and issubclass(inner, Strict):
            yield from settings(inner, f"{dotted}.")
        else:
            yield dotted


def test_the_page_and_the_example_show_every_setting():
    """docs/policy.md has a line for each, and no other; configs/policy.yaml writes each out."""
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    told = [name for line in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall("`([^`]+)`", line)]
    example = (ROOT / "configs" / "policy.yaml").read_text(encoding="utf-8")

    known = list(settings(Policy))
    assert sorted(told) == sorted(known)
    assert [name for name in known if f"{name.rpartition('.')[2]}:" not in example] == []
