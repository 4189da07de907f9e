"""Download a published dataset from its own project and check it."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import DryRun
from tribute.cli._output import Output


class Fetched(TypedDict):
    source: str
    folder: str


@command
def fetch(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="clinc150 or tldr.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put it; a config's source.folder.")],
    dry_run: DryRun = False,
) -> Output[Fetched]:
    from tribute.contributions.sources import fetch as download
    from tribute.contributions.sources import refuse_filled

    if dry_run:
        refuse_filled(source, folder)
        return Output({"source": source, "folder": str(folder)}, [f"would fetch {source} into {folder}"])
    path = download(source, folder)
    return Output({"source": source, "folder": str(path)}, [f"{source} is in {path}"])
