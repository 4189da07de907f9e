"""Where a flow's tasks run: threads that start one-thread processes here, or Ray."""

import os
from typing import Any

from prefect import Flow
from prefect.task_runners import ThreadPoolTaskRunner

from tribute.config import RunConfig

TOLD = ("MLFLOW_TRACKING_URI", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL")
"""What a cluster's workers take from here: where trainings are tracked, and that Prefect's log lines, which Ray prints
a second time, stay out of the terminal. Prefect hands its own addresses on."""


def with_runner(flow: Flow[Any, Any], config: RunConfig) -> Flow[Any, Any]:
    """The flow with the task runner of `config.execution`."""
    if config.execution.engine == "ray":
        from prefect_ray import RayTaskRunner

        # Ray refuses a number of CPUs for a cluster that runs already.
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": config.execution.processes}
        settings = {name: os.environ[name] for name in TOLD if name in os.environ}
        runner: Any = RayTaskRunner(init_kwargs={**local, "runtime_env": {"env_vars": settings}})
    else:
        runner = ThreadPoolTaskRunner(max_workers=config.execution.processes)
    return flow.with_options(task_runner=runner)
