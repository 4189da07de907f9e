"""Make a base model to try causal fine-tunes with."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import DryRun
from tribute.cli._output import Output


class Base(TypedDict):
    folder: str
    cached: bool


@command
def make(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to put it; a config's finetuning.base.folder.")
    ],
    dry_run: DryRun = False,
) -> Output[Base]:
    """Pre-train a small Llama on prose of the installed packages: some minutes on one core, no download."""
    from tribute.finetuning.models.pretraining import is_base, make_base
    from tribute.progress import reporter

    if dry_run:
        cached = is_base(folder)
        line = f"{folder} holds the base already" if cached else f"would pre-train a small Llama into {folder}"
        return Output({"folder": str(folder), "cached": cached}, [line])
    cached = make_base(folder, reporter("base model"))
    verb = "found" if cached else "pre-trained"
    return Output({"folder": str(folder), "cached": cached}, [f"{verb} a small Llama in {folder}"])
