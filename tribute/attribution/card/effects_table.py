"""Effects: what would change if a contributor were gone, by retraining without it and as was predicted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tribute.attribution.card import metrics
from tribute.attribution.retraining import designs
from tribute.attribution.retraining.jobs import IN_FULL, Job
from tribute.attribution.shares.measured import Measurements


def effects_table(measurements: Measurements, shares: pd.DataFrame) -> pd.DataFrame:
    """`effects.parquet`: evaluation loss without the contributor minus with it, nats; > 0 helped.

    The same batches less the contributor's rows, mean over seeds; `effect_se` is NaN with one seed. `predicted` is
    what Newton steps said beforehand (NaN where none was made). `alone` is what training on nobody else gains, and
    `shapley` the value with contributors as players by the 2n design; NaN unless all were trained alone and left out.
    """
    names, measured = measured_effects(measurements)
    alone = effects_alone(measurements, names)
    gain = (
        float(np.mean([measurements.utility_all(seed) for seed in seeds_left_out(measurements)] or [np.nan]))
        - measurements.utility_before
    )
    everybody = set(names) == set(measurements.rows.names)
    predicted = dict(zip(measurements.rows.names, predicted_effects(measurements), strict=True))
    credit = shares.set_index("contributor_id")["credit"]
    size = dict(zip(measurements.rows.names, np.bincount(measurements.rows.owner).tolist(), strict=True))
    seeds = len(measured)
    spread = measured.std(0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.full(len(names), np.nan)
    return pd.DataFrame(
        {
            "contributor_id": names,
            "rows": [size[name] for name in names],
            "effect": measured.mean(0) if names else [],
            "effect_se": spread,
            "predicted": [predicted[name] for name in names],
            "alone": alone,
            "shapley": designs.shapley_of_2n(alone, measured.mean(0), gain) if everybody else np.nan,
            "credit": [float(credit[name]) for name in names],
            "seeds": seeds,
        }
    )


def measured_effects(measurements: Measurements) -> tuple[list[str], np.ndarray]:
    """Who was left out with every seed, and the effects [seeds, contributors]."""
    left = [job for job in measurements.utilities if job.design == "leave-out"]
    names, seeds = list(dict.fromkeys(job.contributor for job in left)), seeds_left_out(measurements)
    table = [
        [
            measurements.utility_all(seed)
            - measurements.utilities[Job(design="leave-out", seed=seed, contributor=name)]
            for name in names
        ]
        for seed in seeds
    ]
    return names, np.array(table).reshape(len(seeds), len(names))


def seeds_left_out(measurements: Measurements) -> list[int]:
    """The seeds with which contributors were left out."""
    return sorted({job.seed for job in measurements.utilities if job.design == "leave-out"})


def effects_alone(measurements: Measurements, names: Sequence[str]) -> np.ndarray:
    """What training on one contributor's rows alone gains, mean over seeds, nats; NaN where it was not tried."""
    alone = [
        [measurements.utilities.get(Job(design="alone", seed=seed, contributor=name), np.nan) for name in names]
        for seed in seeds_left_out(measurements)
    ]
    return np.asarray(np.mean(alone, axis=0) - measurements.utility_before if alone else np.full(len(names), np.nan))


def proxy_figures(measurements: Measurements, effects: pd.DataFrame) -> dict[str, Any]:
    """The proxy's layers, and how well it ranks who was left out, against leaving them out of the whole training."""
    proxy = next(training for job, training in measurements.retrainings.items() if job.design != IN_FULL)
    names, seed = list(effects["contributor_id"]), min(seeds_left_out(measurements), default=0)
    # What all rows reach is common to all of them, so it does not enter a rank.
    reached = [measurements.utilities[Job(design=IN_FULL, seed=seed, contributor=name)] for name in names]
    return {
        "layers": list(proxy.identity["config"]["lora"]["layers"]),
        "spearman": metrics.rank_correlation(effects["effect"].to_numpy(), -np.array(reached)),
    }


def predicted_effects(measurements: Measurements) -> np.ndarray:
    """The predicted effect of each contributor, mean over seeds, [contributors]; NaN where none was made."""
    effects = list(measurements.predicted.values())
    return np.asarray(np.mean(effects, axis=0) if effects else np.full(len(measurements.rows.names), np.nan))
