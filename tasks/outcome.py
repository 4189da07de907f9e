"""What all tasks share: retries, and the state `Cached` for an artifact that existed already."""

from functools import partial
from typing import Any

from prefect import task
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, State

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import KilledError
from tribute.pipeline.runs import telemetry
from tribute.workspace import Workspace


def ended(artifact: Artifact) -> State[Any]:
    """The artifact's id, completed or, if it was there already, cached. Whoever watches is told."""
    name, verb = ("Cached", "found") if artifact.found else ("Completed", "made")
    if telemetry.is_on():
        telemetry.tell_stage(artifact, name == "Cached", _run_here())
    return Completed(data=artifact.id, name=name, message=f"{verb} {artifact.kind} {artifact.id[:12]}")


def _run_here() -> dict[str, str]:
    """What names the run that this task is part of."""
    config = (flow_run.parameters or {}).get("config")
    known = {"run": config.id, "dataset": config.dataset.tag} if isinstance(config, RunConfig) else {}
    return known | {"flow_run": str(flow_run.root_flow_run_id or ""), "task": str(task_run.name or "")}


def in_queue(future: PrefectFuture[Any]) -> PrefectFuture[Any]:
    """Tell whoever watches that work was handed out, and later that it is done."""
    if telemetry.is_on():
        telemetry.tell_queue(1)
        future.add_done_callback(lambda _: telemetry.tell_queue(-1))
    return future


def skipped(why: str) -> State[Any]:
    """Completed without an artifact, for a reason."""
    return Completed(data=None, name="Skipped", message=why)


def id_of(state: State[Any]) -> Any:
    """The artifact's id in a task's state, for a flow to return; None where the task was skipped.

    A flow that returns a state itself may end without a result: when an answer of the server is lost, the client asks
    again, is refused as a duplicate, and gets the flow's state without its data.
    """
    return state.result()


def get(workspace: str, kind: str, *ids: str) -> list[Artifact]:
    """The artifacts of these ids, in their order."""
    store = Workspace.open_at(workspace).store
    return [store.get(kind, id_) for id_ in ids]


def _is_passing(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Retry only errors that may pass: of files and sockets, and a killed child, never a wrong config or a full GPU."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, (ConnectionError, TimeoutError, BlockingIOError, KilledError))


def _tell_failure(task_: Any, _run: Any, state: State[Any]) -> None:
    if telemetry.is_on():
        error = state.result(raise_on_failure=False)
        telemetry.tell_failure(task_.name, type(error).__name__, _run_here())


stage = partial(
    task,
    persist_result=False,
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=_is_passing,
    on_failure=[_tell_failure],
)
"""The decorator of every task. Results are ids, and the store knows what was made: Prefect keeps none."""
