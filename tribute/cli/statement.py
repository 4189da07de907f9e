"""Write contributors' statements of a period, each as a page and as JSON, into statements/."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, Month, WorkspaceFolder
from tribute.cli._output import Output


class Written(TypedDict):
    period: str
    paths: list[str]


class Planned(TypedDict):
    period: str
    contributors: list[str]


@command
def statement(
    period: Month,
    contributors: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTRIBUTOR]...", help="Only these; by default everybody.")
    ] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Written | Planned]:
    from tribute.rewards.statements import whose, write_statements
    from tribute.workspace import Workspace

    home, chosen = Workspace.open(workspace), contributors or []
    if dry_run:
        names = whose(home, period, chosen)
        return Output({"period": period, "contributors": names}, [f"would make {len(names)} statements of {period}"])
    paths = [str(path) for path in write_statements(home, period, chosen)]
    return Output({"period": period, "paths": paths}, paths)
