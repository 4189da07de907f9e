"""Where a flow's tasks run: threads that start one-thread processes here, or Ray; and flows as parts of a run."""

import os
from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.children import end_trainings
from tasks.outcome import in_queue
from tasks.resources import refuse_nodes, remote_options_of
from tribute.config import ExecutionConfig

TOLD = (
    *("MLFLOW_TRACKING_URI", "TRIBUTE_ARTIFACTS", "TRIBUTE_STORE"),
    *("TRIBUTE_LOG", "TRIBUTE_TELEMETRY", "OPENLINEAGE_"),
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL",
)
"""Beginnings of the variables that a cluster's workers take from here: where trainings are tracked, artifacts shared,
calls metered and stages told, and that Prefect's log lines, which Ray prints a second time, stay out of the terminal.
Prefect hands its own addresses on."""


class ThreadRunner(ThreadPoolTaskRunner[Any]):
    """Threads that start one-thread processes; these end with a flow that ends early, and trainings save first.

    Prefect itself would wait for them: a cancelled or terminated run would train to its end, or until it is killed.
    """

    def submit(self, *work: Any, **named: Any) -> Any:
        """Hand work to a thread; whoever watches sees how much waits."""
        return in_queue(super().submit(*work, **named))

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            # Cancelling waits for what runs.
            end_trainings()
            self.cancel_all()
        super().__exit__(*error)


def part_of_run(flow: Flow[Any, Any]) -> Callable[..., Any]:
    """The flow without a heartbeat: a run's own speaks for its parts, and Prefect ends each with a second's wait."""

    @wraps(flow.fn)
    def call(*arguments: Any) -> Any:
        with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            return flow(*arguments)

    return call


def with_runner(flow: Flow[Any, Any], execution: ExecutionConfig) -> Callable[..., Any]:
    """The flow, as a part of a run, with the task runner that a config's `execution` names."""
    if execution.engine == "ray":
        # Ray refuses a number of CPUs for a cluster that runs already.
        here = not os.environ.get("RAY_ADDRESS")
        cluster = {"num_cpus": execution.processes} if here else {}
        told = {name: value for name, value in os.environ.items() if name.startswith(TOLD)}
        settings = told | (_server() if here else {})
        runner: Any = _ray_runner()(init_kwargs={**cluster, "runtime_env": {"env_vars": settings}})
    else:
        runner = ThreadRunner(max_workers=execution.processes)
    # Flow.with_options would derive the schemas of all parameters anew.
    elsewhere = copy(flow)
    elsewhere.task_runner = runner
    return part_of_run(elsewhere)


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
                return in_queue(super().submit(task, parameters, *others, **named))

    return PlannedRunner


def _server() -> dict[str, str]:
    """Where the server of this run is, a temporary one included: else each of Ray's workers would start its own."""
    with get_client(sync_client=True) as client:
        return {"PREFECT_API_URL": str(client.api_url)}
