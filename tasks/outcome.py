"""How a task ends: an artifact that was found rather than made ends it in the state `Cached`."""

from typing import Any

from prefect.states import Completed, State

from tribute.artifacts import Artifact
from tribute.workspace import Workspace


def ended(artifact: Artifact) -> State[Any]:
    """The artifact's id, completed or, if it was there already, cached."""
    if artifact.found:
        return Completed(data=artifact.id, name="Cached", message=f"found {artifact.kind} {artifact.id[:12]}")
    return Completed(data=artifact.id, message=f"made {artifact.kind} {artifact.id[:12]}")


def get(workspace: str, kind: str, *ids: str) -> list[Artifact]:
    """The artifacts of these ids, in their order."""
    store = Workspace.open_at(workspace).store
    return [store.get(kind, id_) for id_ in ids]


def is_passing(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Retry only what may pass by itself: trouble with files and sockets, never a wrong config or no memory."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, (ConnectionError, TimeoutError, BlockingIOError))
