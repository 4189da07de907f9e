"""Where a flow's tasks run: threads that start one-thread processes here, or a Ray cluster."""

from typing import Any

from prefect import Flow
from prefect.task_runners import ThreadPoolTaskRunner

from tribute.config import RunConfig


def with_runner(flow: Flow[Any, Any], config: RunConfig) -> Flow[Any, Any]:
    """The flow with the task runner of `config.execution`."""
    if config.execution.engine == "ray":
        from prefect_ray import RayTaskRunner

        runner: Any = RayTaskRunner(init_kwargs={"num_cpus": config.execution.processes})
    else:
        runner = ThreadPoolTaskRunner(max_workers=config.execution.processes)
    return flow.with_options(task_runner=runner)
