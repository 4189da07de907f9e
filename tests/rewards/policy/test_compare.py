"""Theorem: a simulation by the policy that paid is what was paid; by another one it divides the same fee."""

from pathlib import Path

import pytest

from tests.helpers.terminal import tree
from tests.rewards.helpers.people import POLICY, House, make_house
from tribute.errors import RewardError
from tribute.rewards.allocation.simulate import simulate_period
from tribute.rewards.policy.compare import differences
from tribute.rewards.policy.policy import load_policy


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November 2026 is drafted; read only."""
    made = make_house(tmp_path_factory.mktemp("house") / "workspace")
    made.pay("2026-11")
    return made


def other(tmp_path: Path, *changes: tuple[str, str]):
    """The published policy with some of its text changed."""
    content = POLICY
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    path = tmp_path / "other.yaml"
    path.write_text(content)
    return load_policy(path)


def test_only_what_differs_is_listed(house: House, tmp_path: Path):
    """Nested settings by their dotted names; equal policies differ in nothing."""
    before = load_policy(house.policy)
    after = other(tmp_path, ("v1.0.0", "v1.1.0"), ('part: "0.2"', 'part: "0.3"'), ('EUR: "10.00"', 'JPY: "9"'))

    assert differences(before, before) == []
    assert differences(before, after) == [
        ("version", "v1.0.0", "v1.1.0"),
        ("holdback.part", "0.2", "0.3"),
        ("threshold.EUR", "10.00", "–"),
        ("threshold.JPY", "–", "9"),
    ]


def test_by_its_own_policy_a_period_pays_what_it_paid(house: House):
    """Nobody's amount differs, to the cent."""
    found = simulate_period(house.workspace, house.root / "rewards" / "2026-11", load_policy(house.policy))

    assert found.would == found.paid
    assert sum(found.paid.values()) == 90_000


def test_another_split_and_kappa_move_money(house: House, tmp_path: Path):
    """The whole fee is divided by the other policy; a higher κ takes from who is uncertain."""
    policy = other(
        tmp_path,
        ("description", 'kappa: "2"\ndescription'),
        ('reserve: "0.1", contributors: "0.9"', 'platform: "0.3", contributors: "0.7"'),
    )
    before = tree(house.root / "rewards")

    found = simulate_period(house.workspace, house.root / "rewards" / "2026-11", policy)

    assert sum(found.would.values()) == 70_000
    assert found.kept["EUR"] == {"platform": 30_000, "model_owner": 0, "reserve": 0, "contributors": 70_000}
    assert found.change(("numpy", "EUR")) < 0
    assert tree(house.root / "rewards") == before


def test_a_gate_that_fails_pays_by_tokens(house: House, tmp_path: Path):
    """A stricter gate is judged on the same card, and the fall-back pays."""
    policy = other(tmp_path, ("seed_split: null", 'seed_split: "0.1"'))

    found = simulate_period(house.workspace, house.root / "rewards" / "2026-11", policy)

    assert found.verdict.rule == "tokens"
    assert sum(found.would.values()) == sum(found.paid.values())


def test_a_policy_of_later_is_refused(house: House, tmp_path: Path):
    """A policy says from when it holds, and an earlier period is not simulated by it."""
    policy = other(tmp_path, ("2026-01-01", "2027-01-01"))

    with pytest.raises(RewardError, match="is effective from 2027-01-01, 2026-11 begins before"):
        simulate_period(house.workspace, house.root / "rewards" / "2026-11", policy)
