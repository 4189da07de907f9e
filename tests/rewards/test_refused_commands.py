"""Theorem: what cannot be paid is refused in one line that says what to do, and nothing is posted or changed."""

import math
from fractions import Fraction
from pathlib import Path

import pytest

from tests.helpers.terminal import tree
from tribute.errors import ConfigError, RewardError
from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.weights import exact_score
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.ledger.entries import move
from tribute.workspace import Workspace

BAD = Path(__file__).parents[1] / "bad" / "rewards" / "policies"


@pytest.fixture(scope="module")
def home(world, tmp_path_factory) -> Path:
    """A workspace with a draft and a line in the ledger; whatever is refused, it stays as it is."""
    root = tmp_path_factory.mktemp("home")
    workspace = Workspace.create(root)
    workspace.rewards.mkdir()
    about = {"posted_at": "2026-11-03", "currency": "EUR", "idempotency_key": "k", "reason_code": "gift"}
    ledger.post(workspace, [move("RESERVE", 5, accounts.EXPENSE, accounts.RESERVE, **about)])
    world.pay(root)
    return root


def refused(world, home, said, **change):
    """One line that holds `said`; every byte of rewards/ is as it was."""
    before = tree(home / "rewards")
    with pytest.raises((RewardError, ConfigError)) as raised:
        world.pay(home, **change)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert tree(home / "rewards") == before


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("0", "EUR", "amount '0' is zero; give at least one minor unit of EUR"),
        ("0.00", "EUR", "amount '0.00' is zero; give at least one minor unit of EUR"),
        ("-5.00", "EUR", "amount '-5.00' is not a plain positive decimal; write it like 1000.00"),
        ("1.001", "EUR", "amount '1.001' has 3 decimals, EUR has 2; round it to 2"),
        ("0.5", "JPY", "amount '0.5' has 1 decimals, JPY has 0; round it to 0"),
        ("0.0000000000000000001", "ETH", "has 19 decimals, ETH has 18; round it to 18"),
        ("1e3", "EUR", "amount '1e3' is not a plain positive decimal; write it like 1000.00"),
        ("1,000.00", "EUR", "amount '1,000.00' is not a plain positive decimal; write it like 1000.00"),
        ("NaN", "EUR", "amount 'NaN' is not a plain positive decimal"),
        ("Infinity", "EUR", "amount 'Infinity' is not a plain positive decimal"),
        ("1000.00", "DM", "currency 'DM' is unknown; use an ISO 4217 code in capitals such as EUR"),
        ("1000.00", "eur", "currency 'eur' is unknown; use an ISO 4217 code in capitals such as EUR"),
    ],
)
def test_a_pool_that_is_no_amount(world, home, amount, currency, said):
    """Zero, negative, finer than the currency, no number, no currency."""
    refused(world, home, said, fees=[(amount, currency)])


@pytest.mark.parametrize(
    ("period", "said"),
    [
        ("2026-13", "period '2026-13' is not a month of the years 1900 to 2999; write it like 2026-11"),
        ("9999-12", "period '9999-12' is not a month"),
        ("2026-11/..", "period '2026-11/..' is not a month"),
        ("２０２６-11", "period '２０２６-11' is not a month"),
        ("2026-12", "2026-12 cannot be paid now: the open period is 2026-11, which is begun"),
        ("2026-10", "2026-10 cannot be paid now: the open period is 2026-11, which is begun"),
    ],
)
def test_a_period_that_is_not_the_open_one(world, home, period, said):
    """No month, a later one, an earlier one that would overlap what is posted."""
    refused(world, home, said, period=period)


def test_a_policy_that_does_not_hold(world, home, tmp_path):
    """A key that no policy has, and a policy that is effective later."""
    later = tmp_path / "later.yaml"
    later.write_text("{id: p, version: v1.0.0, description: d, effective_from: 2026-11-02}")

    refused(world, home, "hold_back: unknown key; did you mean holdback?", policy=BAD / "unknown_key.yaml")
    refused(world, home, "p v1.0.0 is effective from 2026-11-02, 2026-11 begins before; use the policy", policy=later)


def spoiled(column, value):
    """numpy's share with this value."""

    def spoil(shares):
        shares.loc[shares["contributor_id"] == "numpy", column] = value
        return shares

    return {"shares": spoil}


ZERO = {
    "shares": lambda shares: shares.assign(credit=0.0, se=0.0, low=0.0, high=0.0),
    "scores": lambda scores: scores.assign(credit=0.0),
}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (spoiled("credit", float("nan")), "shares.parquet: numpy: credit is nan, expected a finite number of nats"),
        (spoiled("credit", float("inf")), "shares.parquet: numpy: credit is inf, expected a finite number of nats"),
        (spoiled("se", float("-inf")), "shares.parquet: numpy: se is -inf, expected a finite number of nats"),
        (ZERO, "none of 10 contributors has a credit above its uncertainty, so nobody can be paid; train with more"),
    ],
    ids=["NaN", "infinite", "minus infinite", "all zero"],
)
def test_weights_that_nobody_can_be_paid_by(make, home, tmp_path, fault, said):
    """NaN and infinity name the file and the contributor; that all are zero says what to do."""
    refused(make(tmp_path / "world", **fault), home, said)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e6])
def test_a_score_that_is_no_number_of_nats_names_its_contributor(value):
    """NaN, infinity and nonsense are refused by the contributor's name."""
    with pytest.raises(RewardError, match=r"^alice: credit is .*, expected a finite number of nats below 1000000"):
        exact_score(value, "credit", "alice")


def test_a_pool_that_nobody_can_take_is_refused():
    """All weights zero is an error that says what to do, never an even split."""
    with pytest.raises(RewardError, match=r"none of 2 contributors has a credit above its uncertainty.*lower kappa"):
        largest_remainder(100, dict.fromkeys("ab", Fraction(0)), "2026-11")
