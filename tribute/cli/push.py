"""Push a run's adapter with its model card to a model hub; with --merge the whole model."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._text import Plan, would


class Pushed(TypedDict):
    adapter: str
    repository: str
    commit_url: str
    merged: bool


@command
def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `tribute run` printed it.")],
    to: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The model repository; it is made if need be.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public; else it is private.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to the base's weights (causal-lm).")] = False,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Pushed | Plan]:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from tribute.finetuning.adapters.hub import push_folder
    from tribute.pipeline.operations.export import Export
    from tribute.workspace import Workspace

    export = Export.of(Workspace.open(workspace), run, merge)
    if dry_run:
        return would(f"push adapter {export.adapter.id[:12]} of run {run} to {to}")
    with TemporaryDirectory() as folder:
        export.write(Path(folder))
        commit = push_folder(Path(folder), to, f"Run {run}, adapter {export.adapter.id[:12]}", is_public=public)
    data: Pushed = {"adapter": export.adapter.id, "repository": to, "commit_url": commit, "merged": merge}
    kind = "the model, the adapter merged into it" if merge else "the adapter"
    return Output(data, [f"pushed {kind}: {commit}"])
