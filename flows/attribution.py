"""Each seed's trace is walked, some rows are left out for real, and all of it becomes shares."""

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.runner import with_runner
from tasks.attribution import checks, combine, credit, influence, plant, probe, propose, retrain
from tribute.config import RunConfig


@flow(name="attribution", task_runner=ThreadPoolTaskRunner(max_workers=2))
def attribution(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """Returns the ids of all that was measured, and of the attribution."""
    seeds, probed = checks(workspace, config, dataset, adapters)
    futures = {
        # The longest first, so that it does not run alone at the end.
        "influence": [influence.submit(workspace, config, dataset, adapter) for adapter in adapters[: len(seeds)]],
        "control": [plant.submit(workspace, config, dataset, seed) for seed in seeds],
        "credit": [credit.submit(workspace, config, dataset, adapter) for adapter in adapters],
        "probe": [probe.submit(workspace, config, dataset, together) for together in probed],
    }
    made: dict[str, Any] = {kind: [one.result() for one in some] for kind, some in futures.items()}
    jobs, made["retraining"] = [], []
    while proposed := propose(workspace, config, dataset, adapters, made, jobs):
        retrainings = [retrain.submit(workspace, config, dataset, job) for job in proposed]
        made["retraining"] += [one.result() for one in retrainings]
        jobs += proposed
    return made | {"attribution": combine(workspace, config, dataset, adapters, made, jobs)}


def run(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """The flow on the engine that the config asks for."""
    return with_runner(attribution, config)(workspace, config, dataset, adapters)
