"""The attribution card: how far a run's numbers can be trusted, measured. See `card.json` in docs/architecture.md."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tribute.attribution import measures
from tribute.attribution.jobs import REMOVED, Job, Population, kept

BASELINES = ("rows", "tokens", "bm25", "embedding", "gradient_dot", "end_of_training")
"""Simple scores of a training row that attribution must beat; columns of influence.parquet."""


def leave_one_out(effects: pd.DataFrame, by_seed: Sequence[np.ndarray]) -> dict[str, Any]:
    """Predicted effects, and the credits that pay, against retraining without the contributor.

    `by_seed`: the measured effects of each seed, [contributors]. `ceiling` is what one seed says of another.
    """
    measured = effects["effect"].to_numpy()
    return {
        "contributors": list(effects["contributor_id"]),
        "seeds": len(by_seed),
        "spearman": measures.rank_correlation(effects["predicted"].to_numpy(), measured),
        "credit_spearman": measures.rank_correlation(effects["credit"].to_numpy(), measured),
        "slope": measures.slope(effects["predicted"].to_numpy(), measured),
        "ceiling": measures.pairwise(by_seed),
    }


def linear_datamodelling(
    scores: np.ndarray, rows: Population, utilities: Mapping[Job, float], harmful: Sequence[str]
) -> dict[str, Any] | None:
    """LDS (Park et al. 2023): predicted against retrained utility of random removals; None where there are none.

    `scores` [rows] are effects: what U loses without the row. `without_harmful` leaves the harmful contributors' rows
    out of both sides by regression on their number; `noisy_rows` counts those rows alone.
    """
    by_seed = removals_by_seed(rows, utilities)
    if not by_seed:
        return None
    stays, measured = by_seed[0][0], np.stack([values for _, values in by_seed])
    noisy = -(stays @ np.isin(rows.owner, [rows.names.index(name) for name in harmful]).astype(float))
    predicted, mean = stays @ scores, measured.mean(0)
    return {
        "subsets": len(mean),
        "removed": REMOVED,
        "seeds": len(measured),
        "score": measures.rank_correlation(predicted, mean),
        "without_harmful": measures.rank_correlation(_less(predicted, noisy), _less(mean, noisy)),
        "noisy_rows": measures.rank_correlation(noisy, mean),
        "ceiling": measures.pairwise(list(measured)),
    }


def removals_by_seed(rows: Population, utilities: Mapping[Job, float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each seed: which rows stayed [subsets, rows] and U [subsets], for subsets that every seed retrained."""
    found: dict[int, dict[int, Job]] = {}
    for job in utilities:
        if job.design == "removal":
            found.setdefault(job.seed, {})[job.number] = job
    common = sorted(set.intersection(*map(set, found.values()))) if found else []
    by_seed = [[found[seed][number] for number in common] for seed in sorted(found)]
    return [
        (np.stack([kept(job, rows) for job in jobs]).astype(float), np.array([utilities[job] for job in jobs]))
        for jobs in by_seed
        if jobs
    ]


def coalition_error(credit: np.ndarray, rows: Population, utilities: Mapping[Job, float], nothing: float) -> Any:
    """How far the credits of a random half of the contributors are from what it reaches, in points of the total.

    A concave U makes every half reach more than its credits; the mean excess is taken off first.
    """
    jobs = [job for job in utilities if job.design == "coalition"]
    if not jobs:
        return None
    total = credit.sum()
    reached = np.array([utilities[job] - nothing for job in jobs])
    expected = np.array([credit[np.unique(rows.owner[kept(job, rows)])].sum() for job in jobs])
    excess = (reached - expected) / total
    return {"count": len(jobs), "error": float(100 * np.abs(excess - excess.mean()).mean())}


def baselines(
    influence: pd.DataFrame, rows: Population, effects: pd.DataFrame, utilities: Mapping[Job, float]
) -> dict[str, dict[str, float | None]]:
    """Each baseline's rank correlation with leaving contributors out and with random removals."""
    by_seed = removals_by_seed(rows, utilities)
    found: dict[str, dict[str, float | None]] = {}
    for name in BASELINES:
        scores = np.ones(len(rows.owner)) if name == "rows" else influence[name].to_numpy(dtype=float)
        sums = dict(zip(rows.names, rows.sums(scores), strict=True))
        predicted = np.array([sums[one] for one in effects["contributor_id"]])
        found[name] = {
            "leave_one_out": measures.rank_correlation(predicted, effects["effect"].to_numpy()),
            "lds": measures.rank_correlation(by_seed[0][0] @ scores, np.mean([one for _, one in by_seed], axis=0))
            if by_seed
            else None,
        }
    return found


def _less(values: np.ndarray, regressor: np.ndarray) -> np.ndarray:
    """What is left of `values` after a straight line on `regressor`."""
    if np.ptp(regressor) == 0:
        return values
    return np.asarray(values - np.polyval(np.polyfit(regressor, values, 1), regressor))
