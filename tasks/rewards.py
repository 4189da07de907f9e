"""Tasks of the rewards and report columns."""

from typing import Any

from prefect.states import State

from tasks.notifications import tell_of_draft
from tasks.outcome import ended, get, skipped, stage
from tasks.pages import publish
from tribute.config import RunConfig
from tribute.pipeline.runs import runs, summary
from tribute.pipeline.runs.runs import Begun
from tribute.pipeline.stages import results
from tribute.workspace import Workspace


@stage(task_run_name="pay the pool")
def pay(workspace: str, config: RunConfig, dataset: str, adapters: list[str], attribution: str) -> State[Any]:
    """Write the period's artifacts; returns the manifest's id, or None where nothing is paid."""
    [data], [shares] = get(workspace, "dataset", dataset), get(workspace, "attribution", attribution)
    home, trained = Workspace.open_at(workspace), get(workspace, "adapter", *adapters)
    draft = results.draft_period(home, config, data, trained, shares)
    tell_of_draft(home, config, draft)
    return skipped("the config has no rewards") if draft is None else ended(draft)


@stage(task_run_name="show the draft")
def show_period(workspace: str, config: RunConfig) -> None:
    """By what the period was paid, on Prefect's page."""
    publish(f"draft-{config.id}", summary.period_page(Workspace.open_at(workspace), config.rewards.period))


def begin_run(config: RunConfig) -> Begun:
    """What the record keeps of a run's beginning."""
    return runs.begin_run(config)


@stage(task_run_name="record and report")
def report(workspace: str, config: RunConfig, made: dict[str, Any], begun: Begun) -> str:
    """Write the run's record and its report; returns the run's id."""
    home = Workspace.open_at(workspace)
    run_id = results.record(home, config, made, begun)
    publish(f"report-{config.run}", summary.run_page(home, config, run_id))
    return run_id
