"""A run whose every artifact is there already: found again and recorded, without an engine and its server."""

from dataclasses import dataclass

from tribute.artifacts import Artifact
from tribute.attribution.measurement import check_read, recorded_measurements, trained_inputs
from tribute.config import RunConfig
from tribute.errors import AttributionError, RegistryError
from tribute.pipeline.runs import telemetry
from tribute.pipeline.runs.runs import Begun, begin_run, recorded
from tribute.pipeline.stages import data, learned, results, tracked
from tribute.workspace import Workspace


@dataclass(frozen=True)
class _Results:
    dataset: Artifact
    adapters: list[Artifact]
    baselines: Artifact
    attribution: Artifact


def repeat(workspace: Workspace, config: RunConfig) -> str | None:
    """Record a run that has nothing to make, as the flows would; its id, or None where there is something to make.

    Raises RegistryError where nobody may learn from the dataset version any more.
    """
    begun = begin_run(config)
    try:
        dataset = learned.found_dataset(workspace, config.dataset.tag, config.finetuning.base)
        trained = _recorded(workspace, config, dataset, begun) or _derived(workspace, config, dataset)
    except (AttributionError, RegistryError):
        return None
    data.check_learnable(workspace, config.dataset.tag)
    is_tracked = all("mlflow_run_id" in adapter.provenance for adapter in trained.adapters)
    if not is_tracked or not results.is_drafted(workspace, config, dataset, trained.adapters, trained.attribution):
        return None
    if telemetry.is_on():
        for artifact in (dataset, trained.baselines, *trained.adapters, trained.attribution):
            telemetry.tell_stage(artifact, True, {"run": config.id, "dataset": config.dataset.tag})
    ids = {
        "dataset": dataset.id,
        "adapters": [adapter.id for adapter in trained.adapters],
        "baselines": trained.baselines.id,
        "attribution": trained.attribution.id,
        "registered": tracked.register(workspace, config, dataset, trained.adapters),
    }
    return results.record(workspace, config, ids, begun)


def _recorded(workspace: Workspace, config: RunConfig, dataset: Artifact, begun: Begun) -> _Results | None:
    """By the run's own record: deriving the keys of all artifacts loads all that trains and measures, for seconds.

    None where the record speaks of other things, or an artifact is gone. Raises IntegrityError for a damaged one.
    """
    record, store = recorded(workspace, config, begun), workspace.store
    if record is None:
        return None
    try:
        attribution = store.get("attribution", record["attribution"])
        measured = [store.get(kind, id_) for kind, id_ in recorded_measurements(attribution).values()]
        adapters = [store.get("adapter", record["adapters"][str(seed)]) for seed in config.finetuning.seeds]
        simple = store.get("baselines", record["baselines"])
    except (LookupError, RegistryError):
        return None
    if not trained_inputs(dataset, adapters).items() <= attribution.inputs.items():
        return None
    check_read(dataset, adapters, measured)
    return _Results(dataset, adapters, simple, attribution)


def _derived(workspace: Workspace, config: RunConfig, dataset: Artifact) -> _Results:
    """By the keys of all artifacts, whoever made them. Raises AttributionError where one is missing."""
    from tribute.finetuning.adapters.adapters import baselines
    from tribute.pipeline.stages import measuring, training

    adapters = training.find_adapters(workspace, config, dataset)
    simple = baselines(dataset, config.finetuning).find(workspace.store)
    attribution = measuring.find_attribution(measuring.open_run(workspace, config, dataset, adapters))
    if simple is None:
        raise AttributionError(f"the baselines of {config.dataset.tag} are not measured yet; run `tribute finetune`")
    return _Results(dataset, adapters, simple, attribution)
