"""Show what the workspace holds, what runs, what waits for whom, and the next command."""

from typing import TYPE_CHECKING, TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import listed

if TYPE_CHECKING:
    from tribute.pipeline.operations.status import Status


class DatasetState(TypedDict):
    dataset: str
    contribution_count: int
    rows: int
    tags: list[str]


class PeriodState(TypedDict):
    period: str
    state: str
    signed: list[str]


class Task(TypedDict):
    what: str
    who: str
    command: str


class Overview(TypedDict):
    workspace: str
    datasets: list[DatasetState]
    runs: list[str]
    period_states: list[PeriodState]
    artifacts_in_progress: int
    tasks: list[Task]
    next_command: str


@command
def status(workspace: WorkspaceFolder = HERE) -> Output[Overview]:
    import shlex

    from tribute.pipeline.operations import status as pipeline
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    state = pipeline.status(home)
    suffix = "" if workspace == HERE else f" -w {shlex.quote(str(workspace))}"
    data: Overview = {
        "workspace": str(home.root),
        "datasets": [
            {
                "dataset": dataset.name,
                "contribution_count": dataset.contributions,
                "rows": dataset.rows,
                "tags": list(dataset.tags),
            }
            for dataset in state.datasets
        ],
        "runs": list(state.runs),
        "period_states": [
            {"period": period.period, "state": period.state, "signed": list(period.signed)} for period in state.periods
        ],
        "artifacts_in_progress": state.artifacts_in_progress,
        "tasks": [{"what": task.what, "who": task.who, "command": task.command + suffix} for task in state.tasks],
        "next_command": state.tasks[0].command + suffix if state.tasks else "",
    }
    return Output(data, _lines(data), list(_tables(data, state)))


def _lines(data: Overview) -> list[str]:
    from tribute.formatting import counted

    working = data["artifacts_in_progress"]
    return [
        f"runs: {listed(data['runs'])}",
        f"in progress: {counted(working, 'artifact')}" if working else "nothing is in progress",
        *(f"- {task['what']} (for {task['who']}): {task['command']}" for task in data["tasks"]),
        f"next: {data['next_command']}" if data["next_command"] else "nothing waits",
    ]


def _tables(data: Overview, state: "Status") -> list[Table]:
    tables = []
    if data["datasets"]:
        rows = [
            (dataset.name, str(dataset.contributions), str(dataset.rows), ", ".join(dataset.tags) or "none")
            for dataset in state.datasets
        ]
        columns = ("dataset", "contributions", "rows", "versions")
        tables.append(Table("Datasets", columns, rows, right=columns[1:3]))
    if data["period_states"]:
        rows_ = [(period.period, period.state, ", ".join(period.signed)) for period in state.periods]
        tables.append(Table("Periods", ("period", "state", "signed by"), rows_))
    return tables
