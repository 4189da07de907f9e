"""What all commands of the command line share: options, and how a result is shown."""

from pathlib import Path
from typing import Annotated, Any

import typer

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="TRIBUTE_WORKSPACE", help="The workspace's folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done.")]
HERE = Path()


def show(result: Any, as_json: bool) -> None:
    """Print a command's result: data as JSON, or the text it was made for."""
    from tribute import screen

    screen.show(result, as_json)


def watching(as_json: bool) -> Any:
    """Progress bars on standard error while the work runs; none beside JSON."""
    from contextlib import nullcontext

    from tribute import screen

    return nullcontext() if as_json else screen.progress()
