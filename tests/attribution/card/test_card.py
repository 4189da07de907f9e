"""The card's figures where the right answer is known: a utility that adds up over rows has no error but the noise's."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from tribute.attribution.card import card
from tribute.attribution.retraining.jobs import Job, TrainedRows, row_mask
from tribute.attribution.shares.row_credits import RowCredits

NAMES = ("ada", "bob", "cyd", "dan", "eve")
OWNERS = np.repeat(NAMES, (30, 25, 20, 15, 10))
ROWS = TrainedRows.of([f"r:{row}" for row in range(100)], OWNERS.tolist())
GAINS = np.random.Generator(np.random.Philox(7)).normal(0.01, 0.02, 100)
"""What each row adds to U, nats; some do harm."""
NOTHING = -2.0


def utilities(jobs, gains=GAINS, bonus=0.0):
    """U of each job where every row adds its gain, whatever else is there."""
    return {job: NOTHING + bonus + float(row_mask(job, ROWS) @ gains) for job in jobs}


def removals(seed, numbers):
    return [Job(design="removal", seed=seed, number=number) for number in numbers]


COALITIONS = [Job(design="coalition", seed=0, number=number) for number in range(40)]
CREDIT = ROWS.sums(GAINS)
OTHERS = [Job(design="all", seed=0), Job(design="leave-out", seed=0, contributor="ada")]


@pytest.mark.parametrize("bonus", [0.0, 0.3])
def test_credits_of_a_sum_have_no_coalition_error(bonus):
    """Also where every half reaches the same amount more: a concave utility does."""
    found = card.coalition_error(CREDIT, ROWS, utilities(COALITIONS + OTHERS, bonus=bonus), NOTHING)

    assert found == {"count": 40, "error": pytest.approx(0, abs=1e-9)}


def test_the_coalition_error_is_in_points_of_the_total():
    """A twentieth of the total above and below in turn is five points off."""
    exact = utilities(COALITIONS)
    off = {job: u + CREDIT.sum() / 20 * (-1) ** job.number for job, u in exact.items()}

    assert card.coalition_error(CREDIT, ROWS, off, NOTHING)["error"] == pytest.approx(5)


def test_credits_under_other_names_have_a_coalition_error():
    """Swapped, they predict other halves."""
    assert card.coalition_error(CREDIT[::-1], ROWS, utilities(COALITIONS), NOTHING)["error"] > 5


def test_old_evaluation_rows_are_held_against_fresh_ones():
    """What a model gains more on rows that leaked is the gap; ids that are not evaluated any more count for nothing."""
    evaluation = pd.DataFrame(
        {"row_id": [f"evaluation:{row}" for row in range(8)], "slice": ["a", "b"] * 4, "gain": [0.5, 0.7] * 4}
    )
    evaluation.loc[evaluation.index < 4, "gain"] += [0.1, 0.2, 0.3, 0.2]
    old = [f"evaluation:{row}" for row in (0, 1, 2, 3, 99)]

    found = card.rotation(evaluation, old)

    assert found == {
        "old": {"rows": 4, "gain": pytest.approx(0.8)},
        "fresh": {"rows": 4, "gain": pytest.approx(0.6)},
        "gap": pytest.approx(0.2),
        "se": pytest.approx((0.02 / 5 / 2) ** 0.5),
    }
    assert card.rotation(evaluation, []) is None
    everything = card.rotation(evaluation, list(evaluation["row_id"]))
    assert (everything["fresh"], everything["gap"]) == ({"rows": 0, "gain": None}, None)


def test_without_coalitions_there_is_no_error():
    """It was not measured, so it is not 0."""
    assert card.coalition_error(CREDIT, ROWS, utilities(OTHERS), NOTHING) is None


def test_removals_are_those_that_every_seed_retrained():
    """In the same order for all, whatever order they came in and whichever are missing."""
    made = utilities([*removals(5, (4, 1, 2)), *OTHERS, *removals(3, (0, 2, 4))])

    found = card.removals_by_seed(ROWS, made)

    assert list(found) == [3, 5]
    for seed, (stays, values) in found.items():
        common = removals(seed, (2, 4))
        assert np.array_equal(stays, [row_mask(job, ROWS) for job in common])
        assert values.tolist() == [made[job] for job in common]


@pytest.mark.parametrize("jobs", [OTHERS, removals(3, (0, 1)) + removals(5, (2, 3))], ids=["none", "none in common"])
def test_no_removal_that_every_seed_retrained(jobs):
    """Nothing to compare."""
    assert card.removals_by_seed(ROWS, utilities(jobs)) == {}


@pytest.fixture
def influence():
    """Scores of each row, the right ones among them."""
    chance = np.random.Generator(np.random.Philox(1))
    return pd.DataFrame(
        {
            "tokens": np.arange(100),
            "bm25": chance.permutation(GAINS),
            "embedding": -GAINS,
            "gradient_dot": 3 * GAINS,
            "end_of_training": np.ones(100),
        }
    )


@pytest.fixture
def effects():
    """Everybody left out but ada, in an order of its own; what is lost is the sum of their rows' gains."""
    names = ["eve", "bob", "dan", "cyd"]
    lost = [CREDIT[ROWS.names.index(name)] for name in names]
    return pd.DataFrame({"contributor_id": names, "effect": lost, "predicted": lost, "credit": lost})


@pytest.fixture
def measured(effects):
    """The effects of two seeds, both the same."""
    return dict.fromkeys((0, 1), effects["effect"].to_numpy())


def test_baselines_are_ranked_by_what_retraining_measured(influence, effects, measured):
    """Right scores 1, turned around −1, the same for every row undefined, scrambled ones near 0."""
    removed = [job for seed in (0, 1) for job in removals(seed, range(100))]

    found = card.baselines(influence, ROWS, effects, measured, utilities(removed))

    assert list(found) == list(card.BASELINES)
    assert found["gradient_dot"] == {"leave_one_out": pytest.approx(1), "lds": pytest.approx(1)}
    assert found["embedding"] == {"leave_one_out": pytest.approx(-1), "lds": pytest.approx(-1)}
    assert abs(found["bm25"]["lds"]) < 0.3
    # Every removal takes as many rows, so that counting them says nothing; contributors differ in them.
    assert found["rows"]["lds"] is None
    assert found["rows"] == found["end_of_training"]
    sizes, order = [10, 25, 15, 20], effects["effect"].rank()
    assert found["rows"]["leave_one_out"] == pytest.approx(np.corrcoef(pd.Series(sizes).rank(), order)[0, 1])


def test_baselines_without_removals_have_no_lds(influence, effects, measured):
    """Leaving contributors out is still there."""
    found = card.baselines(influence, ROWS, effects, measured, utilities(OTHERS))

    assert {one["lds"] for one in found.values()} == {None}
    assert found["gradient_dot"]["leave_one_out"] == pytest.approx(1)


def test_a_seed_that_predicts_only_itself_is_found_out(effects):
    """Its replay knows its own noise: 1 against itself, which does not count, and nothing of the other seed."""
    chance = np.random.Generator(np.random.Philox(2))
    noise = {seed: chance.normal(0, 1, 100) for seed in (0, 1)}
    made = {job: u for seed in (0, 1) for job, u in utilities(removals(seed, range(100)), noise[seed]).items()}

    found = card.linear_datamodelling({0: noise[0]}, ROWS, made, [])

    assert found["same_seed"] == pytest.approx(1)
    assert abs(found["score"]) < 0.3
    assert found["score"] == pytest.approx(found["ceiling"])
    assert (found["subsets"], found["seeds"]) == (100, 2)


def test_finding_the_harmful_is_not_all():
    """A score that knows ada's rows for harmful and nothing else has no rank once their number is taken out."""
    gains = np.where(ROWS.owner == 0, -0.5, GAINS)
    made = utilities([job for seed in (0, 1) for job in removals(seed, range(100))], gains)
    crude = np.where(ROWS.owner == 0, -1.0, 0.0)

    exact = card.linear_datamodelling({0: gains}, ROWS, made, ["ada"])
    found = card.linear_datamodelling({0: crude}, ROWS, made, ["ada"])

    assert (exact["score"], exact["without_harmful"]) == (pytest.approx(1), pytest.approx(1))
    assert found["score"] == found["noisy_rows"] > 0.9
    assert found["without_harmful"] is None


def test_effects_are_held_against_other_seeds(effects, measured):
    """Right of the other seed 1, with the measured size; what is turned around −1."""
    right, wrong = measured[0], -measured[0]

    found = card.leave_one_out(effects, {0: right}, measured)

    assert (found["spearman"], found["credit_spearman"], found["slope"], found["ceiling"]) == pytest.approx(
        (1, 1, 1, 1)
    )
    assert card.leave_one_out(effects, {0: right, 1: wrong}, measured)["spearman"] == pytest.approx(0)
    assert card.leave_one_out(effects, {0: right}, {0: right})["spearman"] is None


@dataclass
class Seeds:
    """What coverage reads of measurements: credit of rows that vary by themselves, in contributors of these sizes."""

    sizes: list[int]
    seeds: int = 6

    def __post_init__(self):
        owners = np.repeat(np.arange(len(self.sizes)).astype(str), self.sizes)
        self.rows = TrainedRows.of([f"r:{row}" for row in range(len(owners))], owners.tolist())
        self.clusters = self.rows.groups(31)
        credit = np.random.default_rng(0).normal(0, 0.1, (self.seeds, len(owners)))
        self.table = RowCredits(credit, credit[:2], np.zeros(len(owners)), 1.0)


def test_held_out_seeds_are_covered_as_often_as_the_interval_says():
    """Noise as the intervals take it, 90 %."""
    found = card.held_out_coverage(Seeds([4] * 100), 0.9)

    assert found == {"trials": 600, "covered": pytest.approx(0.9, abs=0.03)}


def test_too_narrow_intervals_are_found_out():
    """One seed is far from all others: what they know of each other does not reach it."""
    seeds, two = Seeds([4] * 100), Seeds([4] * 100, seeds=2)
    seeds.table.credit[0] += 3

    assert card.held_out_coverage(seeds, 0.9)["covered"] < 0.9
    assert card.held_out_coverage(two, 0.9) is None
