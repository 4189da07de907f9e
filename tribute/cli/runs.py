"""List the finished runs, and show in which settings they differ."""

from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table


class FinishedRun(TypedDict):
    run: str
    tag: str
    made_at: str
    mean_loss_before: float
    mean_loss: float
    mean_accuracy: float | None
    paid_by: str


class Difference(TypedDict):
    setting: str
    values: list[Any]


class Compared(TypedDict):
    finished: list[FinishedRun]
    differences: list[Difference]


@command
def runs(
    run_ids: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Only these; by default all.")] = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Compared]:
    from tribute.pipeline.runs.comparison import differences, run_figures
    from tribute.workspace import Workspace

    figures = run_figures(Workspace.open(workspace), run_ids or ())
    finished: list[FinishedRun] = [
        {
            "run": run.run_id,
            "tag": run.tag,
            "made_at": run.made_at,
            "mean_loss_before": run.loss_before,
            "mean_loss": run.loss,
            "mean_accuracy": run.accuracy,
            "paid_by": run.verdict,
        }
        for run in figures
    ]
    differing: list[Difference] = [{"setting": name, "values": values} for name, values in differences(figures).items()]
    lines = [] if finished else ["no run has finished yet; start one with `tribute run CONFIG`"]
    return Output({"finished": finished, "differences": differing}, lines, _tables(finished, differing))


def _tables(finished: list[FinishedRun], differing: list[Difference]) -> list[Table]:
    if not finished:
        return []
    rows = [
        (
            run["run"],
            run["tag"],
            f"{run['mean_loss_before']:.4f} → {run['mean_loss']:.4f}",
            "" if run["mean_accuracy"] is None else f"{run['mean_accuracy']:.4f}",
            run["paid_by"],
        )
        for run in finished
    ]
    columns = ("run", "version", "loss (nats)", "accuracy", "paid by")
    tables = [Table("Runs", columns, rows, right=columns[2:4])]
    if differing:
        settings = [
            (each["setting"], *("" if value is None else str(value) for value in each["values"])) for each in differing
        ]
        tables.append(Table("Settings that differ", ("setting", *(run["run"] for run in finished)), settings))
    return tables
