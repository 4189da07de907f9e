"""The attribution card: how far a run's numbers can be trusted. See `card.json` in docs/reference/artifacts.md."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tribute.attribution.card import metrics
from tribute.attribution.retraining.jobs import REMOVED, Job, TrainedRows, row_mask
from tribute.attribution.shares.estimate import RowEstimate
from tribute.attribution.shares.measured import Measurements
from tribute.attribution.shares.row_credits import RowCredits

BASELINES = ("rows", "tokens", "bm25", "embedding", "gradient_dot", "end_of_training")
"""Simple scores of a training row that attribution must beat; columns of influence.parquet."""


def leave_one_out(
    effects: pd.DataFrame, predicted: Mapping[int, np.ndarray], measured: Mapping[int, np.ndarray]
) -> dict[str, Any]:
    """Predicted effects, and the credits that pay, against retraining without the contributor.

    `predicted` and `measured`: the effects by seed, [contributors]. A seed's prediction is held against the others'
    retrainings, and so is the `ceiling`: what one seed's retrainings say of another's.
    """
    return {
        "contributors": list(effects["contributor_id"]),
        "seeds": len(measured),
        "spearman": metrics.across_seeds(predicted, measured),
        "credit_spearman": metrics.across_seeds({None: effects["credit"].to_numpy()}, measured),
        "slope": metrics.slope(effects["predicted"].to_numpy(), effects["effect"].to_numpy()),
        "ceiling": metrics.pairwise(list(measured.values())),
    }


def linear_datamodelling(
    replays: Mapping[int, np.ndarray], rows: TrainedRows, utilities: Mapping[Job, float], harmful: Sequence[str]
) -> dict[str, Any] | None:
    """LDS (Park et al. 2023): predicted against retrained utility of random removals; None where there are none.

    `replays`: effects of the rows by seed, what U loses without the row, [rows]. `score` is of other seeds than the
    predicting one, as the `ceiling` is, `same_seed` of its own. `without_harmful` takes the number of the harmful
    contributors' rows out of both sides by regression; `noisy_rows` counts those rows alone.
    """
    by_seed = removals_by_seed(rows, utilities)
    if not by_seed:
        return None
    stays, measured = next(iter(by_seed.values()))[0], {seed: values for seed, (_, values) in by_seed.items()}
    noisy = -(stays @ np.isin(rows.owner, [rows.names.index(name) for name in harmful]).astype(float))
    predicted = {seed: stays @ scores for seed, scores in replays.items()}
    own = (metrics.rank_correlation(predicted[seed], measured[seed]) for seed in predicted.keys() & measured.keys())
    return {
        "subsets": len(stays),
        "removed": REMOVED,
        "seeds": len(measured),
        "score": metrics.across_seeds(predicted, measured),
        "same_seed": metrics.mean(own),
        "without_harmful": metrics.across_seeds(_without(predicted, noisy), _without(measured, noisy)),
        "noisy_rows": metrics.across_seeds({None: noisy}, measured),
        "ceiling": metrics.pairwise(list(measured.values())),
    }


def rotation(evaluation: pd.DataFrame, before: Collection[str]) -> dict[str, Any] | None:
    """What the model gains on evaluation rows that an earlier version had, and on fresh ones; None without old ones.

    `evaluation`: `row_id, slice, gain` (nats), a line a row; `before`: the ids of the old ones. `gap` is old less
    fresh among rows of the same slice, with `se`; both None where nothing compares them.
    """
    old = evaluation["row_id"].isin(list(before)).to_numpy()
    if not old.any():
        return None
    gain = evaluation["gain"].to_numpy()
    gap, error = metrics.gap_within(gain, old, list(evaluation["slice"])) or (None, None)
    sides = {
        name: {"rows": int(part.sum()), "gain": float(gain[part].mean()) if part.any() else None}
        for name, part in (("old", old), ("fresh", ~old))
    }
    return sides | {"gap": gap, "se": error}


def held_out_coverage(measurements: Measurements, confidence: float) -> dict[str, float] | None:
    """How often the interval that all other seeds give for one more seed holds that seed's credit.

    Of scatter alone, without the choice of evaluation rows or the distance of the witnesses, which seeds have in
    common. An interval for a new seed is √seeds times as wide as that for the mean of the others. None with fewer
    than three seeds: one alone has no variance.
    """
    credit, rows = measurements.table.credit, measurements.rows
    count, fixed = len(credit), np.zeros(len(rows.owner))
    if count < 3:
        return None
    inside = []
    for seed, own in enumerate(credit):
        rest = np.delete(credit, seed, axis=0)
        table = RowCredits(rest, rest.mean(0)[None].repeat(2, 0), fixed, 1.0)
        others = RowEstimate(table, measurements.clusters, float(rest.mean(0).sum())).named(rows.owner)
        inside.append(np.abs(rows.sums(own) - others.credit) <= np.sqrt(count) * others.margin(confidence))
    return {"trials": int(np.size(inside)), "covered": float(np.mean(inside))}


def removals_by_seed(rows: TrainedRows, utilities: Mapping[Job, float]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each seed: which rows stayed [subsets, rows] and U [subsets], for the subsets that every seed retrained."""
    jobs: dict[int, dict[int, Job]] = {}
    for job in utilities:
        if job.design == "removal":
            jobs.setdefault(job.seed, {})[job.number] = job
    common = sorted(set.intersection(*map(set, jobs.values()))) if jobs else []
    return {
        seed: (
            np.stack([row_mask(own[number], rows) for number in common]).astype(float),
            np.array([utilities[own[number]] for number in common]),
        )
        for seed, own in sorted(jobs.items())
        if common
    }


def coalition_error(
    credit: np.ndarray, rows: TrainedRows, utilities: Mapping[Job, float], utility_before: float
) -> Any:
    """How far the credits of a random half of the contributors are from what it reaches, in points of the total.

    A concave U makes every half reach more than its credits; the mean excess is taken off first.
    """
    jobs = [job for job in utilities if job.design == "coalition"]
    if not jobs:
        return None
    total = credit.sum()
    reached = np.array([utilities[job] - utility_before for job in jobs])
    expected = np.array([credit[np.unique(rows.owner[row_mask(job, rows)])].sum() for job in jobs])
    excess = (reached - expected) / total
    return {"count": len(jobs), "error": float(100 * np.abs(excess - excess.mean()).mean())}


def baselines(
    influence: pd.DataFrame,
    rows: TrainedRows,
    effects: pd.DataFrame,
    measured: Mapping[int, np.ndarray],
    utilities: Mapping[Job, float],
) -> dict[str, dict[str, float | None]]:
    """Each baseline's rank correlation with leaving contributors out and with random removals."""
    by_seed = removals_by_seed(rows, utilities)
    found: dict[str, dict[str, float | None]] = {}
    for name in BASELINES:
        scores = np.ones(len(rows.owner)) if name == "rows" else influence[name].to_numpy(dtype=float)
        sums = dict(zip(rows.names, rows.sums(scores), strict=True))
        left_out = np.array([sums[name] for name in effects["contributor_id"]])
        found[name] = {
            "leave_one_out": metrics.across_seeds({None: left_out}, measured),
            "lds": metrics.mean(metrics.rank_correlation(stays @ scores, values) for stays, values in by_seed.values()),
        }
    return found


def _without(by_seed: Mapping[int, np.ndarray], regressor: np.ndarray) -> dict[int, np.ndarray]:
    return {seed: metrics.residual(values, regressor) for seed, values in by_seed.items()}
