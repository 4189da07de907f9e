"""Where a flow's tasks run: threads that start one-thread processes here, or Ray."""

import os
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.children import end_trainings
from tasks.resources import refuse_nodes, remote_options_of
from tribute.config import RunConfig

TOLD = ("MLFLOW_TRACKING_URI", "TRIBUTE_ARTIFACTS", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL")
"""What a cluster's workers take from here: where trainings are tracked and artifacts shared, and that Prefect's log
lines, which Ray prints a second time, stay out of the terminal. Prefect hands its own addresses on."""


class ThreadRunner(ThreadPoolTaskRunner[Any]):
    """Threads that start one-thread processes; these end with a flow that ends early, and trainings save first.

    Prefect itself would wait for them: a cancelled or terminated run would train to its end, or until it is killed.
    """

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.cancel_all()
            end_trainings()
        super().__exit__(*error)


def with_runner(flow: Flow[Any, Any], config: RunConfig) -> Flow[Any, Any]:
    """The flow with the task runner of `config.execution`."""
    if config.execution.engine == "ray":
        # Ray refuses a number of CPUs for a cluster that runs already.
        here = not os.environ.get("RAY_ADDRESS")
        cluster = {"num_cpus": config.execution.processes} if here else {}
        settings = {name: os.environ[name] for name in TOLD if name in os.environ} | (_server() if here else {})
        runner: Any = _ray_runner()(init_kwargs={**cluster, "runtime_env": {"env_vars": settings}})
    else:
        runner = ThreadRunner(max_workers=config.execution.processes)
    return flow.with_options(task_runner=runner)


def _ray_runner() -> Any:
    """RayTaskRunner, which keeps free on a node what the run's plan says that a task takes."""
    import ray
    from prefect_ray import RayTaskRunner
    from prefect_ray.context import remote_options

    class PlannedRunner(RayTaskRunner):
        def submit(self, task: Any, parameters: dict[str, Any], *others: Any, **named: Any) -> Any:
            wanted = remote_options_of(parameters)
            refuse_nodes([node["Resources"] for node in ray.nodes() if node["Alive"]], wanted)
            with remote_options(**wanted):
                return super().submit(task, parameters, *others, **named)

    return PlannedRunner


def _server() -> dict[str, str]:
    """Where the server of this run is, a temporary one included: else each of Ray's workers would start its own."""
    with get_client(sync_client=True) as client:
        return {"PREFECT_API_URL": str(client.api_url)}
