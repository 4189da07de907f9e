"""Tasks of the services column."""

from itertools import chain
from typing import Any

from tasks.outcome import stage
from tasks.watching import watched
from tribute.pipeline.usage import explain as explaining
from tribute.pipeline.usage import seal as sealing
from tribute.workspace import Workspace


@stage(task_run_name="find answers of {month}")
def find_answers(workspace: str, month: str, budget: int | None) -> list[Any]:
    """The batches of a month to explain; answers that are not to be explained get their addenda."""
    home = Workspace.open_at(workspace)
    batches, addenda = explaining.waiting(home, month=month, budget=budget)
    explaining.add_addenda(home, addenda)
    return batches


@stage(task_run_name="{batch}")
def explain(workspace: str, batch: Any) -> Any:
    """What moved the answers of a batch."""
    with watched():
        return explaining.explain_batch(Workspace.open_at(workspace), batch)


@stage(task_run_name="add addenda")
def add_addenda(workspace: str, batches: list[Any]) -> int:
    """Sign and add the addenda of all batches; how many."""
    return explaining.add_addenda(Workspace.open_at(workspace), list(chain.from_iterable(batches)))


@stage(task_run_name="seal {month}")
def seal(workspace: str, month: str) -> str:
    """Seal the month's usage; returns its folder."""
    return str(sealing.seal(Workspace.open_at(workspace), month))
