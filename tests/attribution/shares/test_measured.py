"""What a run's evidence says together: rate designs on the run's own scale, whatever the names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import CONFIG, measurements, with_others
from tests.attribution.test_combine import made_credit, made_evaluation
from tribute.artifacts import Store
from tribute.attribution import combine
from tribute.attribution.retraining import jobs
from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.errors import IntegrityError

WORTH = {"ada": 0.3, "bob": 0.2, "cyd": 0.1, "dan": -0.1}
"""What each contributor's rows add to U, in nats, in any company."""


@pytest.fixture
def evidence(dataset, tmp_path):
    """Two seeds whose in-run credit is wrong about ada and dan, and two repetitions that measure `WORTH` exactly.

    The retrainings gain half of what the run's own trainings gain, as a proxy's might.
    """
    wrong = {"ada": 0.1, "bob": 0.2, "cyd": 0.1, "dan": 0.1}
    credits = [made_credit(tmp_path, dataset, seed, wrong | {"bob": 0.2 + 0.01 * seed}) for seed in (0, 1)]
    adapters = [made_evaluation(tmp_path, "adapter", 2.0 - sum(WORTH.values()), seed) for seed in (0, 1)]
    return measurements(
        dataset, adapters, credits=credits, retrainings=retrained(tmp_path, TrainedRows.trained(dataset))
    )


def retrained(root, rows, gain=1.0, parts=1 / 12, repetitions=2):
    """Repetitions that measure `gain` times WORTH exactly, and what a proxy trains beside: all rows.

    `parts` are those that rows have in their contributor's worth.
    """
    worth = np.array([WORTH[name] for name in rows.names])[rows.owner] * parts
    first = [Job(design="rates", seed=number % 2, number=number, factors=7) for number in range(repetitions)]
    wanted = [one.model_copy(update={"run": run}) for one in first for run in range(len(jobs.repetition(one, rows)))]
    wanted += [Job(design="all", seed=seed) for seed in (0, 1) if gain != 1.0]
    found = {}
    for job in wanted:
        gained = gain * float(worth[jobs.row_mask(job, rows)].sum())
        found[job] = made_evaluation(root, "retraining", 2.0 - gained, f"{gain}: {job}")
    return found


def test_designs_correct_in_run_credit_on_the_runs_own_scale(evidence, tmp_path):
    """The total stays, and groups of rows that were taken for equal come apart as the retrainings say."""
    groups = evidence.rows.groups(7)
    worth = np.array([WORTH[name] for name in evidence.rows.names])[evidence.rows.owner] / 12
    truth = np.bincount(groups, weights=worth) * evidence.gain / sum(WORTH.values())
    more = with_others(evidence, retrainings=retrained(tmp_path, evidence.rows, repetitions=16))

    off = [np.abs(np.bincount(groups, weights=some.by_row.credit) - truth).sum() for some in (evidence, more)]
    before = np.abs(np.bincount(groups, weights=evidence.table.credit.mean(0)) - truth).sum()

    assert more.by_row.credit.sum() == pytest.approx(evidence.gain)
    assert off[1] < off[0] < before
    assert off[1] < 0.7 * before


def test_a_proxy_that_gains_less_says_the_same(evidence, tmp_path):
    """Its effects are scaled to the run's own total before the luck of the draw, which has that scale, is taken off."""
    proxy = with_others(evidence, retrainings=retrained(tmp_path, evidence.rows, gain=0.25))

    assert proxy.estimate().credit == pytest.approx(evidence.estimate().credit)
    assert proxy.estimate().errors() == pytest.approx(evidence.estimate().errors())


def test_other_names_change_no_sum(evidence):
    """ada under five names: the same jobs, and the same credit in all."""
    rows = evidence.rows
    names = np.array(rows.names, dtype=object)[rows.owner]
    own = np.flatnonzero(names == "ada")
    names[own] = [f"ada-{place % 5}" for place in range(len(own))]
    apart = TrainedRows.of(rows.row_ids, names.tolist())

    whole, split = evidence.credits_as(rows).credit, evidence.credits_as(apart).credit

    parts = [name.startswith("ada-") for name in apart.names]
    assert split[parts].sum() == pytest.approx(whole[rows.names.index("ada")], abs=1e-12)


def test_scores_follow_the_corrected_credit(evidence, tmp_path):
    """A row's scores sum to its credit, so a contributor's do."""
    made = combine.make_attribution(Store(tmp_path), evidence, CONFIG)

    shares = pd.read_parquet(made.file("shares.parquet")).set_index("contributor_id")
    sums = pd.read_parquet(made.file("scores.parquet")).groupby("contributor_id")["credit"].sum()
    assert sums.to_dict() == pytest.approx(shares.loc[sums.index, "credit"].to_dict())
    assert set(shares["method"]) == {"in-run + rate design"}


def test_a_damaged_credit_pays_nobody(evidence, tmp_path):
    """A score that was changed after it was measured is named, and no attribution is made."""
    path = evidence.credits[0].file("scores.parquet")
    frame = pd.read_parquet(path)
    frame.loc[0, "credit"] = 1000.0
    frame.to_parquet(path, index=False)

    with pytest.raises(IntegrityError, match=r"scores\.parquet: sha256 .*restore the file, or delete .* and run again"):
        replace(evidence)
