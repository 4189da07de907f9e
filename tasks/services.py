"""Tasks of the services column."""

from itertools import chain
from typing import Any

from prefect.states import Completed, State

from tasks.outcome import skipped, stage
from tasks.watching import watched
from tribute.pipeline.usage import explain as explaining
from tribute.pipeline.usage import seal as sealing
from tribute.workspace import Workspace


@stage(task_run_name="find answers of {month}")
def find_answers(workspace: str, month: str, budget: int | None) -> list[Any]:
    """The batches of a month to explain; answers that are not to be explained get their addenda."""
    home = Workspace.open_at(workspace)
    if not sealing.is_metered(home):
        return []
    batches, addenda = explaining.waiting(home, month=month, budget=budget)
    if addenda:
        explaining.add_addenda(home, addenda)
    return batches


@stage(task_run_name="{batch}")
def explain(workspace: str, batch: Any) -> Any:
    """What moved the answers of a batch."""
    with watched():
        return explaining.explain_batch(Workspace.open_at(workspace), batch)


@stage(task_run_name="sign and add what explains them")
def add_addenda(workspace: str, batches: list[Any]) -> int:
    """Sign and add the addenda of all batches; how many."""
    addenda = list(chain.from_iterable(batches))
    return explaining.add_addenda(Workspace.open_at(workspace), addenda) if addenda else 0


@stage(task_run_name="seal {month}")
def seal(workspace: str, month: str) -> State[Any]:
    """Seal the month's usage; returns its folder, or None where nothing was ever served."""
    home = Workspace.open_at(workspace)
    if not sealing.is_metered(home):
        return skipped("nothing is served")
    folder = sealing.seal(home, month)
    return Completed(data=str(folder), message=f"sealed {folder.name}")
