"""Check stored bytes, sums and chains; name the first thing that is wrong."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError


class Verified(TypedDict):
    ok: bool
    checks: list[str]


@command
def verify(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="registry, run ID, period YYYY-MM, or the path of a folder.")
    ],
    which: Annotated[str | None, typer.Argument(metavar="WHICH", help="The run's id or the period.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="For a period: allocate again, and measure the credits again from the model.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="For a period: check every statement, not a sample of 1,000.")
    ] = False,
    workspace: WorkspaceFolder = HERE,
) -> Output[Verified]:
    from tribute.pipeline.verification import verify as checks
    from tribute.workspace import Workspace

    if what in ("run", "period") and which is None:
        raise ConfigError(f"tribute verify {what}: which one? Give its name, such as `tribute verify {what} NAME`")
    if what == "registry":
        lines = checks.verify_registry(Workspace.open(workspace))
    elif what == "run":
        lines = checks.verify_run(Workspace.open(workspace), str(which))
    elif what == "period":
        lines = checks.verify_period(Workspace.open(workspace), str(which), deep=deep, every=every)
    else:
        lines = checks.verify_folder(Path(what), deep=deep, every=every)
    return Output({"ok": True, "checks": lines}, [f"✓ {line}" for line in lines])
