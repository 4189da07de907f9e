"""Theorem: a policy is checked, compared, simulated and published from the command line, or refused in one line."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.periods import refused, said
from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers.people import POLICY, House, make_house


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is drafted; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.pay("2026-11")
    return house


@pytest.fixture
def house(ready: House, tmp_path: Path) -> House:
    return House(shutil.copytree(ready.root, tmp_path / "workspace"), ready.world)


@pytest.mark.parametrize(
    ("by", "key", "changes", "message"),
    [
        ("anna", "anna", (('part: "0.2"', 'part: "0.3"'),), "tiny v1.0.0 is published with other content; raise the"),
        ("anna", "ben", (("v1.0.0", "v1.1.0"),), "the key given is not the latest of anna"),
        ("zoe", "ben", (("v1.0.0", "v1.1.0"),), "the key given is not the latest of zoe; register it with"),
        ("anna", "anna", (("v1.0.0", "v1.1.0"), ("effective_from: 2026-01-01\n", "")), "effective_from is missing"),
        ("anna", "anna", (('part: "0.2"', "part: 0.2"),), "holdback.part: 0.2 is a number; write it in quotes"),
    ],
)
def test_policies_that_are_not_published(house: House, by: str, key: str, changes, message: str):
    """Other content under the same version, another's key, no date, a float."""
    path = policy_of(house, *changes)

    line = refused(house, "policy", "publish", path, "--key", house.root / "keys" / key, "--as", by)

    assert message in line


def test_policies_side_by_side(house: House, tmp_path: Path):
    """`diff` shows both values, `simulate` who would have got what; neither changes anything."""
    other = tmp_path / "other.yaml"
    other.write_text(
        POLICY.replace('part: "0.2"', 'part: "0.3"').replace(
            'contributors: "0.9"', 'contributors: "0.8", platform: "0.1"'
        )
    )
    before = tree(house.root)

    differs = tribute("policy", "diff", house.policy, other)
    same = tribute("policy", "diff", house.policy, house.policy)
    would = tribute("policy", "simulate", other, "--period", "2026-11", "-w", house.root)

    for words in ("split.contributors", "0.9", "0.8", "holdback.part", "0.2", "0.3"):
        assert words in differs.out
    assert (same.code, "0.2" in same.out) == (0, False)
    for words in ("numpy", "copycat", "0.00"):
        assert words in would.out
    assert tree(house.root).items() >= before.items()


@pytest.mark.parametrize("verb", ["check", "diff", "simulate"])
def test_a_policy_with_a_fault_is_refused_everywhere(house: House, verb: str):
    """Every command that reads a policy names the file and the key."""
    path = policy_of(house, ("version: v1.0.0", 'version: v1.0.0\nkapa: "1"'))
    others = {"check": (), "diff": (house.policy,), "simulate": ("--period", "2026-11", "-w", house.root)}[verb]

    ended = tribute("policy", verb, path, *others)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"{path}: kapa: unknown key; did you mean kappa?" in ended.err


def test_a_policy_is_checked_and_published(house: House):
    """Check reports all faults, publish records a version once; a dry run records none."""
    path = house.root / "keys" / "next.yaml"
    path.write_text(POLICY.replace("v1.0.0", "v1.1.0").replace('part: "0.2"', 'part: "0.3"'), encoding="utf-8")
    publish = ("policy", "publish", path, "--key", house.root / "keys" / "anna", "--as", "anna")

    checked = tribute("policy", "check", path, "--json").data
    foretold = said(house, *publish, "--dry-run")
    published = said(house, *publish)
    path.write_text(path.read_text().replace("v1.1.0", "1.1.0") + "color: red\n")
    bad = tribute("policy", "check", path)

    assert checked["policy"]["holdback"] == {"part": "0.3", "days": 60}
    assert foretold == published == {"policy_id": checked["policy_id"], "policy_version": "v1.1.0"}
    assert (bad.code, bad.err.count("\n")) == (2, 1)
    assert "version: " in bad.err
    assert "color: unknown key" in bad.err
    assert said(house, "verify", "registry")["ok"]


def policy_of(house: House, *changes: tuple[str, str]) -> Path:
    path = house.root / "keys" / "next.yaml"
    content = POLICY
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    path.write_text(content, encoding="utf-8")
    return path


def test_a_policy_that_blends_is_tried_on_a_month_paid_by_tokens(house: House):
    """`simulate` says in words how far credit would count, and `check` that a policy without fallback pays tokens."""
    shipped = Path(__file__).parents[1] / "configs" / "policy.yaml"

    would = tribute("policy", "simulate", shipped, "--period", "2026-11", "-w", house.root)
    checked, plain = tribute("policy", "check", shipped), tribute("policy", "check", house.policy)

    assert (would.code, "This period is paid by credit" in would.out) == (0, True)
    assert "fallback is not set" not in checked.out
    assert "fallback is not set: if a check of the gate fails, training tokens pay" in plain.out
