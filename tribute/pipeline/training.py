"""The trainings of a run: one adapter per seed, and what simple methods reach on the same rows."""

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import AttributionError
from tribute.progress import reporter
from tribute.workspace import Workspace


def measure_baselines(workspace: Workspace, config: RunConfig, dataset: Artifact) -> Artifact:
    """What simple methods reach."""
    from tribute.finetuning import adapters

    recipe = adapters.baselines(dataset, config.finetuning)
    return recipe.make(workspace.store, workspace.scratch, reporter("baselines"))


def train(workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int) -> Artifact:
    """The adapter of one seed, tracked in MLflow."""
    from tribute.finetuning import adapters
    from tribute.finetuning.tracking import Tracker

    tracker = Tracker(workspace.mlflow)
    return adapters.adapter(dataset, config.finetuning, seed).make(
        workspace.store,
        workspace.scratch,
        reporter(f"fine-tune, seed {seed}"),
        record=lambda folder: tracker.log_training(config.id, dataset, config.finetuning, seed, folder),
    )


def find_adapters(workspace: Workspace, config: RunConfig, dataset: Artifact) -> list[Artifact]:
    """The adapters of all seeds. Raises AttributionError where one is not trained yet."""
    from tribute.finetuning import adapters

    trained = []
    for seed in config.finetuning.seeds:
        adapter = adapters.adapter(dataset, config.finetuning, seed).find(workspace.store)
        if adapter is None:
            raise AttributionError(f"seed {seed} is not trained on {config.dataset.tag}; run `tribute finetune` first")
        trained.append(adapter)
    return trained
