"""The trainings of a run: one adapter per seed, and what simple methods reach on the same rows."""

from collections.abc import Sequence
from dataclasses import replace

from tribute.artifacts import Artifact, read_artifact
from tribute.attribution.measurement import seed_of
from tribute.config import RunConfig
from tribute.errors import AttributionError, TrainingError
from tribute.files import locked
from tribute.finetuning.stopping import end_children
from tribute.progress import both, reporter
from tribute.workspace import Workspace


def measure_baselines(workspace: Workspace, config: RunConfig, dataset: Artifact) -> Artifact:
    """What simple methods reach."""
    from tribute.finetuning.adapters import adapters

    recipe = adapters.baselines(dataset, config.finetuning)
    return recipe.make(workspace.store, workspace.scratch, reporter(recipe.title))


def train(workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int) -> Artifact:
    """The adapter of one seed, tracked in MLflow while it trains. Raises TrackingError before where it cannot be.

    Where MLflow fails after that, the adapter is kept, and tracked when it is asked for again.
    """
    from tribute.finetuning.adapters import adapters
    from tribute.finetuning.recording.curve import CURVE
    from tribute.finetuning.tracking import Subject, Tracker

    tracker, recipe = Tracker(workspace.mlflow), adapters.adapter(dataset, config.finetuning, seed)
    subject, report, live = Subject(config.id, dataset, config.finetuning), reporter(recipe.title), None
    adapter = recipe.find(workspace.store)
    if adapter is None:
        live = tracker.begin(subject, seed)
        with live.watching(recipe.checkpoints(workspace.scratch) / CURVE):
            adapter = recipe.make(workspace.store, workspace.scratch, both(report, live.progress))
    with locked(workspace.scratch / "locks" / f"track-{adapter.id[:24]}"):
        recorded = read_artifact(adapter.path).provenance
        if "mlflow_run_id" not in recorded:
            recorded = tracker.finish(live or tracker.begin(subject, seed), adapter.path)
            return workspace.store.add_provenance(adapter, recorded)
    if live is not None:
        tracker.discard(live)
    return replace(adapter, provenance=recorded)


def refuse_rise(adapters: Sequence[Artifact]) -> None:
    """Raise TrainingError where a seed's evaluation loss did not fall: attribution would have nothing to divide."""
    evaluations = {seed_of(adapter): adapter.json("evaluation.json") for adapter in adapters}
    losses = {seed: (evaluation["before"]["loss"], evaluation["loss"]) for seed, evaluation in evaluations.items()}
    risen = [seed for seed, (before, after) in losses.items() if after >= before]
    if risen:
        each = ", ".join(f"seed {seed} {before:.4f} → {after:.4f}" for seed, (before, after) in losses.items())
        raise TrainingError(
            f"the evaluation loss did not fall with seed {', '.join(map(str, risen))} ({each} nats), so there is no "
            "improvement to attribute; lower finetuning.learning_rate or lora.alpha, or check data and labels"
        )


def find_adapters(workspace: Workspace, config: RunConfig, dataset: Artifact) -> list[Artifact]:
    """The adapters of all seeds. Raises AttributionError where one is not trained yet."""
    from tribute.finetuning.adapters import adapters

    trained = []
    for seed in config.finetuning.seeds:
        adapter = adapters.adapter(dataset, config.finetuning, seed).find(workspace.store)
        if adapter is None:
            raise AttributionError(f"seed {seed} is not trained on {config.dataset.tag}; run `tribute finetune` first")
        trained.append(adapter)
    return trained


def end_trainings() -> None:
    """Ask what trains and walks in children of this process to save what it did and end."""
    end_children()
