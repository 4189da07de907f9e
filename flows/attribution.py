"""Each seed's trace is walked, some contributors are left out for real, and all of it becomes shares."""

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.runner import with_runner
from tasks.attribution import combine, credit, retrain, to_leave_out
from tribute.config import RunConfig


@flow(name="attribution", task_runner=ThreadPoolTaskRunner(max_workers=2))
def attribution(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """Returns the ids of credits, retrainings and the attribution."""
    walks = [credit.submit(workspace, config, dataset, adapter) for adapter in adapters]
    credits = [walk.result() for walk in walks]
    names = to_leave_out(workspace, config, dataset, credits)
    futures = {name: retrain.submit(workspace, config, dataset, name) for name in names}
    retrainings = {name: future.result() for name, future in futures.items()}
    combined = combine(workspace, config, dataset, adapters, credits, retrainings)
    return {"credits": credits, "retrainings": retrainings, "attribution": combined}


def run(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """The flow on the engine that the config asks for."""
    return with_runner(attribution, config)(workspace, config, dataset, adapters)
