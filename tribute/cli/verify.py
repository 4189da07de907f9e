"""Check stored bytes, sums and chains; name the first thing that is wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError

if TYPE_CHECKING:
    from tribute.workspace import Workspace


class Verified(TypedDict):
    ok: bool
    checks: list[str]


@command
def verify(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="registry, run ID, period or usage YYYY-MM, receipt ID, or a folder."),
    ],
    which: Annotated[str | None, typer.Argument(metavar="WHICH", help="The id, or the month.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="For a period: allocate again, and measure the credits again from the model.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="For a period: check every statement, not a sample of 1,000.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="For a receipt: run its model again on --request, and compare --answer.")
    ] = False,
    request: Annotated[Path | None, typer.Option(metavar="FILE", help="The request's body, as it was sent.")] = None,
    answer: Annotated[Path | None, typer.Option(metavar="FILE", help="The answer's body, as it was received.")] = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Verified]:
    from tribute.pipeline.usage.seal import verify as verify_usage
    from tribute.pipeline.verification import verify as checks
    from tribute.workspace import Workspace

    if what in ("run", "period", "usage", "receipt") and which is None:
        raise ConfigError(f"tribute verify {what}: which one? Give its name, such as `tribute verify {what} NAME`")
    if what == "registry":
        lines = checks.verify_registry(Workspace.open(workspace))
    elif what == "run":
        lines = checks.verify_run(Workspace.open(workspace), str(which))
    elif what == "period":
        lines = checks.verify_period(Workspace.open(workspace), str(which), deep=deep, every=every)
    elif what == "usage":
        lines = verify_usage(Workspace.open(workspace), str(which))
    elif what == "receipt":
        lines = _receipt(Workspace.open(workspace), str(which), (request, answer) if replay else None, store)
    else:
        lines = checks.verify_folder(Path(what), deep=deep, every=every)
    return Output({"ok": True, "checks": lines}, [f"✓ {line}" for line in lines])


def _receipt(
    workspace: "Workspace", receipt: str, files: tuple[Path | None, Path | None] | None, store: str | None
) -> list[str]:
    from tribute.server.calls.replay import replay, verify_receipt

    lines = verify_receipt(workspace, receipt, store)
    if files is None:
        return lines
    request, answer = files
    if request is None or answer is None:
        raise ConfigError("--replay: give --request and --answer, the bodies as they were sent and received")
    return [*lines, *replay(workspace, receipt, request, answer, store)]
