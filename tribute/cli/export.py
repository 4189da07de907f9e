"""Write a run's adapter into a folder that PEFT and vLLM load; with --merge the whole model."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._text import Plan, would
from tribute.errors import ConfigError


class Exported(TypedDict):
    adapter: str
    folder: str
    merged: bool


@command
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `tribute run` printed it.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder that does not exist yet.")],
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to the base's weights (causal-lm).")] = False,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Exported | Plan]:
    from tribute.files import making
    from tribute.pipeline.operations.export import Export
    from tribute.workspace import Workspace

    exported = Export.of(Workspace.open(workspace), run, merge)
    if out.exists():
        raise ConfigError(f"--out {out} exists; name a new folder")
    if dry_run:
        return would(f"export adapter {exported.adapter.id[:12]} of run {run} to {out}")
    with making(out) as folder:
        exported.write(folder)
    kind = "the model, the adapter merged into it" if merge else "the adapter"
    return Output({"adapter": exported.adapter.id, "folder": str(out), "merged": merge}, [f"wrote {kind}, to {out}"])
