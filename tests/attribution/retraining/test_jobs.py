"""Which retrainings are asked for, what each keeps, and when it is enough."""

import numpy as np
import pytest

from tribute.attribution.retraining import designs, jobs, stopping
from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.config import AttributionConfig

ROWS = TrainedRows.of([f"r:{number}" for number in range(100)], ["ada"] * 50 + ["bob"] * 30 + ["cy"] * 19 + ["tiny"])
RANKING = ["cy", "tiny", "bob", "ada"]
SEEDS = (3, 5, 7, 9)


def asked(validation):
    config = AttributionConfig(validation=validation)
    return jobs.validation_jobs(config, ROWS, SEEDS, RANKING)


def test_off_asks_for_nothing():
    """Only the run's own seeds are compared."""
    assert asked("off") == []


def test_quick_leaves_out_the_large_contributors_with_two_seeds():
    """`tiny` has one row in a hundred: its effect drowns."""
    assert [(job.contributor, job.seed) for job in asked("quick")] == [
        (name, seed) for name in ("cy", "bob", "ada") for seed in (3, 5)
    ]


def test_full_also_removes_rows_at_random_and_halves_the_contributors():
    """A hundred removals for each of two seeds, five coalitions a contributor."""
    designs = [job.design for job in asked("full")]

    assert designs.count("removal") == 200
    assert designs.count("coalition") == 20
    assert designs.count("leave-out") == 9
    assert designs.count("alone") == 9


def test_the_proxy_needs_its_own_training_on_all_rows():
    """Its improvement differs from the run's."""
    found = jobs.validation_jobs(AttributionConfig(proxy=True), ROWS, SEEDS, RANKING)

    assert found[:2] == [Job(design="all", seed=3), Job(design="all", seed=5)]


def test_the_proxy_is_held_against_leaving_out_of_the_whole_training():
    """Once for everybody who is left out by the proxy."""
    found = jobs.validation_jobs(AttributionConfig(proxy=True), ROWS, SEEDS, RANKING)

    whole = [(job.contributor, job.seed) for job in found if job.design == "in-full"]
    assert whole == [(job.contributor, 3) for job in found if job.design == "leave-out" and job.seed == 3]
    assert whole


@pytest.mark.parametrize(
    ("job", "count"),
    [
        (Job(design="all", seed=0), 100),
        (Job(design="leave-out", seed=0, contributor="bob"), 70),
        (Job(design="in-full", seed=0, contributor="bob"), 70),
        (Job(design="alone", seed=0, contributor="bob"), 30),
        (Job(design="removal", seed=0, number=3), 80),
    ],
    ids=str,
)
def test_a_job_keeps_the_rows_that_its_design_says(job, count):
    """The same rows wherever it is run."""
    assert jobs.row_mask(job, ROWS).sum() == count
    assert np.array_equal(jobs.row_mask(job, ROWS), jobs.row_mask(job.model_copy(update={"seed": 8}), ROWS))


def test_a_coalition_takes_contributors_as_wholes():
    """All of a contributor's rows or none."""
    kept = jobs.row_mask(Job(design="coalition", seed=0, number=1), ROWS)

    assert set(np.bincount(ROWS.owner, weights=kept)) <= {0, 50, 30, 19, 1}


def test_the_budget_buys_whole_repetitions():
    """One costs some twenty trainings; 45 buy two, then no more."""
    config = AttributionConfig(budget=45.0)

    first = stopping.next_repetition(config, ROWS, SEEDS, [], 1.0)
    second = stopping.next_repetition(config, ROWS, SEEDS, first, 1.0)
    third = stopping.next_repetition(config, ROWS, SEEDS, first + second, 1.0)

    assert {(job.number, job.seed) for job in first} == {(0, 3)}
    assert {(job.number, job.seed) for job in second} == {(1, 5)}
    assert third == []


MANY = TrainedRows.of([f"r:{number}" for number in range(120)], [f"c{number % 12:02d}" for number in range(120)])


def designed(budget):
    """All jobs of the rate design that a budget buys."""
    done = []
    while found := stopping.next_repetition(AttributionConfig(budget=budget), MANY, SEEDS, done, 1.0):
        done += found
    return done


@pytest.mark.parametrize("budget", [20.0, 45.0, 100.0, 150.0])
def test_a_larger_budget_goes_on_where_a_smaller_stopped(budget):
    """Nothing is made twice, and nothing that was made is left unused."""
    assert designed(200.0)[: len(designed(budget))] == designed(budget)
    assert designed(budget)


def test_later_repetitions_vary_more_groups():
    """Seven until what was spent would have paid for two repetitions of fifteen, then fifteen until it would of 31."""
    counts = [len(set(jobs.groups(job, MANY))) for job in designed(200.0) if job.run == 0]

    assert counts == [7, 7, 7, 7, 7, 15, 15]


@pytest.mark.parametrize("names", [["ada"] * 120, [f"c{number:03d}" for number in range(120)]], ids=["one", "many"])
def test_no_name_decides_the_groups(names):
    """Neither which rows are in a group nor how many groups there are; sizes are within a row of each other."""
    renamed = TrainedRows.of(MANY.row_ids, names)

    for deal in range(3):
        groups = renamed.groups(7, deal)
        assert groups.tolist() == MANY.groups(7, deal).tolist()
        assert np.ptp(np.bincount(groups)) <= 1


def test_an_even_deal_keeps_rows_of_a_slice_together():
    """An odd one mixes them."""
    slices = [str(number % 4) for number in range(120)]
    rows = TrainedRows.of(MANY.row_ids, ["ada"] * 120, slices)

    met = [len({(group, name) for group, name in zip(rows.groups(4, deal), slices, strict=True)}) for deal in (0, 1, 2)]

    assert met == [4, 16, 4]


def test_no_more_repetitions_once_the_shares_are_precise_enough():
    """Standard errors that sum to less than the precision stop the design."""
    config = AttributionConfig(budget=45.0, precision=0.05)

    assert stopping.next_repetition(config, ROWS, SEEDS, [], 0.04) == []


def lucky(rows, credit):
    """What in-run `credit` [rows] takes off, as evidence.py does where no stand-in learned enough."""
    return lambda first: np.bincount(
        jobs.groups(first, rows),
        weights=designs.control_variate(jobs.repetition(first, rows), credit * np.ones(len(rows.owner))),
    )


def test_effects_come_only_from_complete_repetitions():
    """A repetition cut short says nothing."""
    config = AttributionConfig(budget=45.0)
    asked = stopping.next_repetition(config, ROWS, SEEDS, [], 1.0)
    utilities = {job: float(jobs.row_mask(job, ROWS).sum()) for job in asked}

    [(groups, effects)] = jobs.designed(utilities, ROWS, lucky(ROWS, 1.0))

    assert effects == pytest.approx(np.bincount(groups), abs=3)
    assert jobs.designed(dict(list(utilities.items())[1:]), ROWS, lucky(ROWS, 1.0)) == []


@pytest.mark.parametrize(("count", "expected"), [(0, []), (2, ["a", "e"]), (3, ["a", "c", "e"]), (9, list("abcde"))])
def test_those_left_out_are_spread_over_the_ranking(count, expected):
    """The lowest and the highest are among them."""
    assert jobs.spread(list("abcde"), count) == expected


def test_the_luck_of_the_draw_is_taken_off_the_effects_of_groups():
    """Rows of very different worth in a concave game: by credit that knows them, repetitions agree better."""
    worth = np.random.default_rng(0).gamma(0.5, size=len(MANY.owner))
    credit = worth / worth.sum() * np.sqrt(worth.sum())
    plain, less = [], []
    for number in range(30):
        first = Job(design="rates", seed=0, number=number, factors=7)
        asked = [first.model_copy(update={"run": run}) for run in range(len(jobs.repetition(first, MANY)))]
        utilities = {job: np.sqrt(worth[jobs.row_mask(job, MANY)].sum()) for job in asked}
        for found, known in ((plain, 0 * credit), (less, credit)):
            [(groups, effects)] = jobs.designed(utilities, MANY, lucky(MANY, known))
            found.append(effects - np.bincount(groups, weights=credit))

    assert np.var(less) < 0.8 * np.var(plain)
