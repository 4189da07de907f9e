"""Rate designs: on a game whose answer is known they give it, whatever the groups of rows."""

import numpy as np
import pytest

from tribute.attribution.retraining import designs

OWNER = np.repeat([0, 1, 2], [40, 24, 8])


def effects(utility, group, repetitions=1):
    """The mean effects of some repetitions of a game without noise."""
    found = []
    for repetition in range(repetitions):
        runs = designs.rate_design(group, repetition, [0])
        found.append(designs.rate_effects(runs, np.array([utility(one.run.kept) for one in runs])))
    return np.mean(found, axis=0)


def test_an_additive_game_is_solved_exactly_on_average():
    """Every row's worth goes to its owner, up to which rows a draw put into which stage."""
    worth = np.where(OWNER == 0, 1.0, np.where(OWNER == 1, 2.0, -3.0))

    found = effects(lambda kept: worth[kept].sum(), OWNER, repetitions=4)

    assert found == pytest.approx([40, 48, -24], rel=0.03)


def test_in_a_concave_game_equal_rows_earn_the_same_whoever_holds_them():
    """Rows as players: 40, 24 and 8 rows of one kind are paid in that proportion, and the whole is paid."""
    found = effects(lambda kept: np.sqrt(kept.sum()), OWNER, repetitions=8)

    assert found / found.sum() == pytest.approx(np.array([40, 24, 8]) / 72, abs=0.02)
    assert found.sum() == pytest.approx(np.sqrt(72), rel=0.03)


def test_contributors_as_players_would_overpay_the_small_one():
    """The same game by whole contributors pays the smallest more a row: why effects are no shares."""
    alone, left_out = designs.singles_and_leave_outs(OWNER, 0)
    worth = [np.sqrt(run.kept.sum()) for run in alone]

    assert worth[2] / 8 > 1.8 * worth[0] / 40
    assert [run.kept.sum() for run in left_out] == [32, 48, 64]


def test_stages_split_every_group_evenly():
    """Parts grow quadratically, and each is within two rows of its size."""
    runs = designs.rate_design(OWNER, 0, [0])
    last = [one for one in runs if one.stage == 3]
    before = np.min([one.run.kept for one in last], axis=0)

    assert np.bincount(OWNER, weights=before) == pytest.approx([22.5, 13.5, 4.5], abs=1.0)


def test_runs_of_a_draw_share_seed_and_rows_before_the_stage():
    """Common random numbers: only the stage's part differs."""
    runs = designs.rate_design(OWNER, 0, [5, 6])
    first = runs[:8]

    assert {one.run.seed for one in first} == {5}
    assert runs[8].run.seed == 6
    assert np.array_equal(np.sum([one.signs for one in first], axis=0), np.zeros(3))


def test_groups_earn_the_sum_of_their_rows():
    """Whoever owns them."""
    worth = np.where(OWNER == 0, 1.0, np.where(OWNER == 1, 2.0, -3.0))

    found = effects(lambda kept: worth[kept].sum(), np.where(OWNER == 1, 1, 0), repetitions=16)

    assert found == pytest.approx([16, 48], rel=0.05)


def test_the_cost_counts_rows_and_a_run_once():
    """Half of the rows is half a training; the same run met twice costs nothing more."""
    half = designs.Run(np.array([True, False]), 0)

    assert designs.cost([half, half, designs.Run(np.array([True, True]), 0)]) == 1.5


def test_removals_take_the_part_asked_for_and_are_the_same_for_every_seed():
    """Paired between seeds."""
    runs = [designs.removals(50, 0.2, 5, seed) for seed in (0, 1)]

    assert {run.kept.sum() for run in runs[0]} == {40}
    assert all(np.array_equal(a.kept, b.kept) for a, b in zip(*runs, strict=True))


def test_luck_is_nothing_on_average_and_most_of_what_draws_differ_by():
    """Rows of very different worth in a concave game: less luck, repetitions agree better on the same mean."""
    worth = np.random.default_rng(0).gamma(0.5, size=len(OWNER))
    deals = [designs.rate_design(OWNER, repetition, [0]) for repetition in range(60)]

    plain = np.array([designs.rate_effects(d, np.array([np.sqrt(worth[r.run.kept].sum()) for r in d])) for d in deals])
    credit = worth / worth.sum() * np.sqrt(worth.sum())
    luck = np.array([np.bincount(OWNER, weights=designs.control_variate(deal, credit)) for deal in deals])

    assert np.abs(luck.mean(0)) == pytest.approx(0, abs=3 * luck.std() / np.sqrt(60))
    assert (plain - luck).var(0).sum() < 0.7 * plain.var(0).sum()
