"""Make a workspace: registry, remote and the folders of a run."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import DryRun
from tribute.cli._output import Output


class Initialized(TypedDict):
    workspace: str
    created: bool


@command
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The workspace to make.")],
    remote: Annotated[
        str, typer.Option(metavar="URL", help="Where the data goes: a folder, ssh://HOST/PATH or s3://BUCKET.")
    ] = "",
    origin: Annotated[str, typer.Option(metavar="URL", help="An empty git repository, to share the registry.")] = "",
    dry_run: DryRun = False,
) -> Output[Initialized]:
    from tribute.contributions.registry import Registry
    from tribute.workspace import Workspace

    exists = Workspace.is_at(folder)
    if dry_run and not exists:
        return Output({"workspace": str(folder), "created": False}, [f"would make a workspace in {folder}"])
    if not dry_run:
        Registry.create(Workspace.create(folder), remote, origin)
    root = folder.resolve()
    line = f"{root} is a workspace already" if exists else f"{root} is a workspace"
    return Output({"workspace": str(root), "created": not exists}, [line])
