"""What takes time, one seed or one retraining at a time: trainings, and what is measured of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import AttributionError
from tribute.progress import reporter
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.retraining import Job


def baselines(workspace: Workspace, config: RunConfig, dataset: Artifact) -> Artifact:
    """What simple methods reach."""
    from tribute.finetuning import adapters

    return adapters.make_baselines(
        workspace.store, dataset, config.finetuning, workspace.scratch, reporter("baselines")
    )


def trained(workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int) -> Artifact:
    """The adapter of one seed, tracked in MLflow."""
    from tribute.finetuning import adapters
    from tribute.finetuning.tracking import Tracker

    tracker = Tracker(workspace.mlflow)
    return adapters.make_adapter(
        workspace.store,
        dataset,
        config.finetuning,
        seed,
        workspace.scratch,
        lambda folder: tracker.log_training(config.id, dataset, config.finetuning, seed, folder),
        reporter(f"fine-tune, seed {seed}"),
    )


def found_adapters(workspace: Workspace, config: RunConfig, dataset: Artifact) -> list[Artifact]:
    """The adapters of all seeds. Raises AttributionError where one is not trained yet."""
    from tribute.finetuning import adapters

    found = []
    for seed in config.finetuning.seeds:
        adapter = adapters.find_adapter(workspace.store, dataset, config.finetuning, seed)
        if adapter is None:
            raise AttributionError(f"seed {seed} is not trained on {config.dataset.tag}; run `tribute finetune` first")
        found.append(adapter)
    return found


def credited(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapter: Artifact, only_find: bool = False
) -> Artifact | None:
    """One seed's in-run credit."""
    from tribute.attribution.credit import inrun_artifact

    if only_find:
        return inrun_artifact.find_credit(workspace.store, dataset, adapter, config.attribution)
    report = reporter(f"attribute, seed {adapter.identity['config']['seed']}")
    return inrun_artifact.make_credit(
        workspace.store, dataset, adapter, config.attribution, config.finetuning, workspace.scratch, report
    )


def planted(
    workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int, only_find: bool = False
) -> Artifact | None:
    """A training with planted controls, and its credit."""
    from tribute.attribution.credit import inrun_artifact

    if only_find:
        return inrun_artifact.find_control(workspace.store, dataset, seed, config.attribution, config.finetuning)
    report = reporter(f"planted controls, seed {seed}")
    return inrun_artifact.make_control(
        workspace.store, dataset, seed, config.attribution, config.finetuning, workspace.scratch, report
    )


def influenced(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapter: Artifact, only_find: bool = False
) -> Artifact | None:
    """What one seed's training says of leaving rows and contributors out, and the scores it is held against."""
    from tribute.attribution.effects import predicted_artifact

    # Only the random removals of a full validation are held against rows' effects.
    replay = config.attribution.validation == "full"
    if only_find:
        return predicted_artifact.find_influence(workspace.store, dataset, adapter, replay)
    report = reporter(f"predict effects, seed {adapter.identity['config']['seed']}")
    return predicted_artifact.make_influence(
        workspace.store, dataset, adapter, replay, config.finetuning, workspace.scratch, report
    )


def probed(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact], only_find: bool = False
) -> Artifact | None:
    """What a linear probe says of everybody's credit."""
    from tribute.attribution.credit import probe_artifact

    if only_find:
        return probe_artifact.find_probe(workspace.store, dataset, adapters)
    report = reporter("train probes")
    return probe_artifact.make_probe(workspace.store, dataset, adapters, config.finetuning, workspace.scratch, report)


def retrained(
    workspace: Workspace, config: RunConfig, dataset: Artifact, job: "Job", only_find: bool = False
) -> Artifact | None:
    """A training on the rows that the job keeps, of the proxy where the config says so."""
    from tribute.attribution.retraining import jobs
    from tribute.finetuning import adapters

    rows = jobs.TrainedRows.trained(dataset)
    kept = [row_id for row_id, stays in zip(rows.row_ids, jobs.row_mask(job, rows), strict=True) if stays]
    by_proxy = config.attribution.proxy and job.design != jobs.IN_FULL
    finetuning = adapters.proxy_of(config.finetuning) if by_proxy else config.finetuning
    if only_find:
        return adapters.find_retraining(workspace.store, dataset, finetuning, job.seed, kept)
    report = reporter(f"retrain: {job}")
    return adapters.make_retraining(workspace.store, dataset, finetuning, job.seed, kept, workspace.scratch, report)


def retrained_in_full(
    workspace: Workspace, config: RunConfig, dataset: Artifact, job: "Job", only_find: bool = False
) -> Artifact | None:
    """A training on the rows that the job keeps, of what the run itself trains, whatever stands in for it elsewhere."""
    whole = config.model_copy(update={"attribution": config.attribution.model_copy(update={"proxy": False})})
    return retrained(workspace, whole, dataset, job, only_find)
