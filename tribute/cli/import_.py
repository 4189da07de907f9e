"""Import a dataset's dated rows up to a month, one contribution per author and month; a later run adds the new ones."""

from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError


class Imported(TypedDict):
    dataset: str
    until: str
    contribution_count: int
    rows: NotRequired[int]


@command
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="tldr, which has dated contributions.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where `tribute fetch` put it.")],
    until: Annotated[str, typer.Option(metavar="YYYY-MM", help="The last month to import.")],
    dataset: Annotated[str, typer.Option(metavar="NAME", help="The dataset's name.")] = "tldr",
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Imported]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.sources import import_tldr, months_of
    from tribute.months import is_period

    if source != "tldr":
        raise ConfigError(f"unknown source {source!r}; tldr has dated contributions")
    if not is_period(until):
        raise ConfigError(f"--until {until}: expected a month such as 2024-06")
    registry = open_registry(workspace, dry_run=False)
    if dry_run:
        months = months_of(folder, until)
        line = f"would contribute {len(months)} contributions to {dataset}"
        return Output({"dataset": dataset, "until": until, "contribution_count": len(months)}, [line])
    imported = import_tldr(registry, folder, until, dataset)
    rows = sum(contribution.rows for contribution in imported)
    data: Imported = {"dataset": dataset, "until": until, "contribution_count": len(imported), "rows": rows}
    return Output(data, [f"{dataset} has {len(imported)} contributions with {rows} rows written until {until}"])
