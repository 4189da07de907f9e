"""`tribute card`."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, Tag, WorkspaceFolder
from tribute.cli._output import Output


@command
def card(
    tag: Tag,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write; by default cards/NAME@vX.Y.Z.")
    ] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output:
    """Write a version's tables with its dataset card and Croissant metadata."""
    from tribute.contributions.cards import write_card
    from tribute.contributions.registry import Registry
    from tribute.pipeline.data import materialised
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    target = out or home.root / "cards" / tag
    if dry_run:
        registry.version(tag)
        return Output({"folder": str(target), "files": []}, [f"would write the card of {tag} into {target}"])
    paths = write_card(registry, tag, materialised(home, tag), target)
    return Output({"folder": str(target), "files": [str(path) for path in paths]}, [f"{path}" for path in paths])
