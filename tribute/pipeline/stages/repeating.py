"""A run whose every artifact is there already: found again and recorded, without an engine and its server."""

from datetime import UTC, datetime

from tribute.config import RunConfig
from tribute.errors import AttributionError, RegistryError
from tribute.pipeline.runs import telemetry
from tribute.pipeline.stages import data, learned, measuring, results, tracked, training
from tribute.workspace import Workspace


def repeat(workspace: Workspace, config: RunConfig) -> str | None:
    """Record a run that has nothing to make, as the flows would; its id, or None where there is something to make.

    Raises RegistryError where nobody may learn from the dataset version any more.
    """
    from tribute.finetuning.adapters.adapters import baselines

    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        dataset = learned.found_dataset(workspace, config.dataset.tag, config.finetuning.base)
        adapters = training.find_adapters(workspace, config, dataset)
        simple = baselines(dataset, config.finetuning).find(workspace.store)
        attribution = measuring.find_attribution(measuring.open_run(workspace, config, dataset, adapters))
    except (AttributionError, RegistryError):
        return None
    data.check_learnable(workspace, config.dataset.tag)
    is_tracked = all("mlflow_run_id" in adapter.provenance for adapter in adapters)
    if simple is None or not is_tracked or not results.is_drafted(workspace, config, dataset, adapters, attribution):
        return None
    if telemetry.is_on():
        for artifact in (dataset, simple, *adapters, attribution):
            telemetry.tell_stage(artifact, True, {"run": config.id, "dataset": config.dataset.tag})
    ids = {
        "dataset": dataset.id,
        "adapters": [adapter.id for adapter in adapters],
        "baselines": simple.id,
        "attribution": attribution.id,
        "registered": tracked.register(workspace, config, dataset, adapters),
    }
    return results.record(workspace, config, ids, started)
