"""The plan of an attribution: what is measured, and what comes next given what was measured already."""

from collections.abc import Mapping

import numpy as np

from tribute.artifacts import Artifact
from tribute.attribution.credit.inrun_artifact import CONTROLS, INRUN
from tribute.attribution.credit.stand_in_artifact import STAND_IN
from tribute.attribution.effects.predicted_artifact import EFFECTS
from tribute.attribution.measurement import Measurement, Run, Work
from tribute.attribution.retraining import jobs, stopping
from tribute.attribution.retraining.jobs import Job
from tribute.attribution.retraining.retraining_artifact import RETRAINING
from tribute.attribution.shares.measured import Measurements
from tribute.config import AttributionConfig

MEASUREMENTS: tuple[Measurement, ...] = (EFFECTS, CONTROLS, INRUN, STAND_IN, RETRAINING)
"""Every kind of measurement, the longest first, so that it does not run alone at the end."""


def measurement_of(work: Work) -> Measurement:
    """The measurement that a piece of work belongs to."""
    return next(measurement for measurement in MEASUREMENTS if measurement.kind.name == work.kind)


def next_work(run: Run, measured: Mapping[Work, Artifact]) -> list[Work]:
    """What to measure next; nothing when it is enough.

    First everything known beforehand, then the retrainings that validation, precision and budget ask for, which
    depend on what the others say.
    """
    planned = [measurement.work(item) for measurement in MEASUREMENTS for item in measurement.items(run)]
    missing = [work for work in planned if work not in measured]
    if missing:
        return missing
    measurements = Measurements(run.dataset, run.adapters, measured)
    return [RETRAINING.work(job) for job in next_jobs(measurements, run.config.attribution)]


def next_jobs(measurements: Measurements, config: AttributionConfig) -> list[Job]:
    """The retrainings to make next; none when it is enough."""
    estimate, seeds = measurements.estimate(), measurements.seeds
    ranking = [measurements.rows.names[place] for place in np.argsort(estimate.credit, kind="stable")]
    validation = jobs.validation_jobs(config, measurements.rows, seeds, ranking)
    missing = [job for job in validation if job not in measurements.retrainings]
    if missing and not measurements.retrainings:
        return missing
    # Of clusters of rows, so that no name decides how much is retrained.
    clusters = measurements.by_row.named(measurements.clusters)
    error = float(clusters.errors().sum() / np.maximum(clusters.credit, 0).sum())
    return stopping.next_repetition(config, measurements.rows, seeds, list(measurements.retrainings), error)
