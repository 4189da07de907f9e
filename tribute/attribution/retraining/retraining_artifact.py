"""A retraining as a measurement: the run's training, or its proxy, on the rows that a job keeps."""

from dataclasses import replace

from tribute.attribution.measurement import Measurement, Run
from tribute.attribution.retraining.jobs import IN_FULL, Job, TrainedRows, row_mask
from tribute.finetuning.adapters import adapters
from tribute.finetuning.workers import Folders, Key, Recipe
from tribute.progress import Progress


def in_full(run: Run) -> Run:
    """The same run with retrainings of what the run itself trains, whatever stands in for it elsewhere."""
    attribution = run.config.attribution.model_copy(update={"proxy": False})
    return replace(run, config=run.config.model_copy(update={"attribution": attribution}))


def retraining_job(run: Run, job: Job, folders: Folders, progress: Progress) -> None:
    """Runs in a child: see `adapters.retraining`."""
    recipe = _recipe(run, job)
    recipe.job(*recipe.arguments, folders, progress)


def _recipe(run: Run, job: Job) -> Recipe:
    finetuning = run.config.finetuning
    rows = TrainedRows.trained(run.dataset, finetuning.validation)
    kept = [row_id for row_id, stays in zip(rows.row_ids, row_mask(job, rows), strict=True) if stays]
    by_proxy = run.config.attribution.proxy and job.design != IN_FULL
    return adapters.retraining(run.dataset, adapters.proxy_of(finetuning) if by_proxy else finetuning, job.seed, kept)


def _key(run: Run, job: Job) -> Key:
    return _recipe(run, job).key


RETRAINING = Measurement(adapters.RETRAINING, "retrain: {}", lambda run: (), _key, retraining_job, is_trained=True)
"""Which retrainings there are depends on the other measurements: plan.py proposes them."""
