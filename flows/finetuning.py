"""Fine-tunes every seed on the dataset; the best seed's adapter is registered and may become champion."""

from typing import Any

from prefect import flow

from flows.runner import with_runner
from tasks.finetuning import measure_baselines, refuse_rise, register, train
from tribute.config import RunConfig


@flow(name="finetuning", flow_run_name="fine-tuning on {config.dataset.tag}")
def finetuning(workspace: str, config: RunConfig, dataset: str) -> dict[str, Any]:
    """Returns the ids of adapters and baselines, and what was registered."""
    trainings = [train.submit(workspace, config, dataset, seed) for seed in config.finetuning.seeds]
    baselines = measure_baselines.submit(workspace, config, dataset)
    adapters = [training.result() for training in trainings]
    refuse_rise(workspace, adapters)
    registered = register(workspace, config, dataset, adapters)
    return {"adapters": adapters, "baselines": baselines.result(), "registered": registered}


def run(workspace: str, config: RunConfig, dataset: str) -> dict[str, Any]:
    """The flow on the engine that the config names."""
    return with_runner(finetuning, config.execution)(workspace, config, dataset)
