"""Where a flow's tasks run: threads that start one-thread processes here, or Ray."""

import os
from typing import Any

from prefect import Flow
from prefect.task_runners import ThreadPoolTaskRunner

from tribute.config import RunConfig


def with_runner(flow: Flow[Any, Any], config: RunConfig) -> Flow[Any, Any]:
    """The flow with the task runner of `config.execution`."""
    if config.execution.engine == "ray":
        from prefect_ray import RayTaskRunner

        # Ray refuses a number of CPUs for a cluster that runs already.
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": config.execution.processes}
        runner: Any = RayTaskRunner(init_kwargs=local)
    else:
        runner = ThreadPoolTaskRunner(max_workers=config.execution.processes)
    return flow.with_options(task_runner=runner)
