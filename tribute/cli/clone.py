"""Make a workspace on a registry that several stewards share."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import DryRun
from tribute.cli._output import Output


class Cloned(TypedDict):
    workspace: str
    log_entries: int


@command
def clone(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="The git URL or folder of a shared registry.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The workspace to make.")],
    dry_run: DryRun = False,
) -> Output[Cloned]:
    from tribute.contributions.registry import Registry
    from tribute.workspace import Workspace

    if Workspace.is_at(folder) or dry_run:
        Registry.refuse_clone(folder.resolve(), origin)
    if dry_run:
        return Output({"workspace": str(folder), "log_entries": 0}, [f"would clone {origin} into {folder}"])
    registry = Registry.clone(Workspace.create(folder), origin)
    entries = registry.entries()
    return Output({"workspace": str(folder), "log_entries": len(entries)}, [f"{folder} shares {origin}"])
