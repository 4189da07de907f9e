"""Write a version's tables with its dataset card and Croissant metadata."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, Tag, WorkspaceFolder
from tribute.cli._output import Output


class Card(TypedDict):
    tag: str
    folder: str
    paths: list[str]


@command
def card(
    tag: Tag,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write; by default cards/NAME@vX.Y.Z.")
    ] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Card]:
    from tribute.contributions.cards import write_card
    from tribute.contributions.registry import Registry
    from tribute.contributions.text_places import remember_page
    from tribute.pipeline.stages.learned import materialised
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    target = out or home.cards / tag
    if dry_run:
        registry.version(tag)
        return Output(
            {"tag": tag, "folder": str(target), "paths": []}, [f"would write the card of {tag} into {target}"]
        )
    paths = [str(path) for path in write_card(registry, tag, materialised(home, tag), target)]
    if out is not None:
        for table in ("train.parquet", "evaluation.parquet"):
            remember_page(home, target / table)
    return Output({"tag": tag, "folder": str(target), "paths": paths}, paths)
