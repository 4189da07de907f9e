"""Theorem: evidence sums to the scores within 1e-9 nats, and a period is not paid where it does not."""

from decimal import Decimal

import pandas as pd
import pytest

from tribute.errors import IntegrityError, RewardError
from tribute.rewards import tables
from tribute.rewards.allocation import evidence
from tribute.rewards.period.read import read_rewards


def test_evidence_sums_to_the_scores(paid):
    """Every contributor's evidence sums to the score of allocation.csv within 1e-9 nats."""
    table = tables.read_evidence(paid.path / "evidence.parquet")
    scores = read_rewards(paid.path).set_index("contributor_id")["score"].to_dict()

    sums = evidence.sums(table)

    assert all(abs(sums.get(name, Decimal(0)) - score) <= Decimal("1e-9") for name, score in scores.items())


def test_every_row_and_query_has_a_line(world, paid):
    """The evidence has the lines of scores.parquet, sorted, with dataset and runs on each."""
    table = tables.read_evidence(paid.path / "evidence.parquet").to_pandas()

    order = ["contributor_id", "row_hash", "query"]
    keys = table[order].astype(str)
    assert len(table) == len(pd.read_parquet(world.attribution.file("scores.parquet")))
    assert keys.equals(keys.sort_values(order, ignore_index=True))
    assert set(table["adapter_ids"]) == {" ".join(sorted(one.id for one in world.adapters))}
    assert set(table["dataset_tag"]) == {"docs@v1.0.0"}


def drop_one(scores):
    return scores.iloc[1:]


def unknown_row(scores):
    scores.loc[0, "row_id"] = "numpy-1:999"
    return scores


def other_owner(scores):
    scores.loc[0, "contributor_id"] = "scipy"
    return scores


def not_a_number(scores):
    scores.loc[0, "credit"] = float("nan")
    return scores


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (drop_one, r"scores\.parquet and shares\.parquet disagree: numpy: evidence sums to"),
        (unknown_row, r"row numpy-1:999 is not in train\.parquet of docs@v1\.0\.0"),
        (other_owner, r"row numpy-1:1 is credited to scipy, train\.parquet says another"),
        (not_a_number, r"scores\.parquet: row numpy-1:1: credit is (nan|None), expected a finite number"),
    ],
)
def test_scores_that_do_not_fit_are_refused(make, tmp_path, fault, message):
    """Missing, foreign or unreadable credits are refused, and nothing is left behind."""
    world = make(tmp_path / "world", scores=fault)

    with pytest.raises(RewardError, match=message):
        world.pay(tmp_path / "workspace")

    assert [path.name for path in (tmp_path / "workspace" / "rewards").iterdir()] == []


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("credit", float("nan"), r"shares\.parquet: numpy: credit is nan, expected a finite number"),
        ("se", float("inf"), r"shares\.parquet: numpy: se is inf, expected a finite number"),
        ("se", -1.0, r"shares\.parquet: numpy: se is -1\.0+, expected 0 or more"),
        ("contributor_id", "stranger", r"shares\.parquet: stranger is not a contributor of docs@v1\.0\.0"),
        ("contributor_id", "absent", r"shares\.parquet: no line for numpy, who has rows in train\.parquet"),
    ],
)
def test_shares_that_cannot_be_paid_are_refused(make, tmp_path, column, value, message):
    """A share that is no number, or somebody else's, is refused by file and name."""

    def spoil(shares):
        shares.loc[shares["contributor_id"] == "numpy", column] = value
        return shares

    world = make(tmp_path / "world", shares=spoil)

    with pytest.raises(RewardError, match=message):
        world.pay(tmp_path / "workspace")


def test_a_fault_of_the_attribution_names_the_folder_to_delete(make, tmp_path):
    """The same command would find the same folder, so the message says which one has to go."""
    world = make(tmp_path / "world", scores=drop_one)

    with pytest.raises(RewardError, match=f"delete {world.attribution.path} and run again"):
        world.pay(tmp_path / "workspace")


def test_nobody_above_the_uncertainty_is_refused(make, tmp_path):
    """A pool without a payee is refused with the way out."""
    world = make(tmp_path / "world", shares=lambda shares: shares.assign(se=1.0))

    with pytest.raises(RewardError, match="none of 10 contributors has a credit above its uncertainty"):
        world.pay(tmp_path / "workspace")


def test_a_missing_file_is_named(make, tmp_path):
    """An artifact that lost a file is refused by the file's path."""
    world = make(tmp_path / "world")
    world.attribution.file("scores.parquet").unlink()

    with pytest.raises(IntegrityError, match=r"scores\.parquet: missing; the manifest lists it"):
        world.pay(tmp_path / "workspace")
