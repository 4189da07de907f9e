"""Remove rows for good from every place of the workspace; this cannot be undone."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, By, DryRun, OptionalKeyFile, Why, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._removal import Withdrawn
from tribute.cli._text import listed
from tribute.errors import ConfigError


class Erased(TypedDict):
    erasures: list[Withdrawn]
    cleaned: dict[str, list[str]]


@command
def erase(
    what: Annotated[str, typer.Argument(metavar="ID", help="A contribution, or a contributor: all contributions.")],
    by: By,
    why: Why,
    key: OptionalKeyFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Erased]:
    from tribute.cli._registry import open_registry
    from tribute.cli._removal import adapters, erased_lines, learned_from, withdrawn
    from tribute.pipeline.operations.erasure import erase_contributions, resolve
    from tribute.workspace import Workspace

    home, registry = Workspace.open(workspace), open_registry(workspace, dry_run)
    contributions = resolve(registry, what)
    if not (dry_run or yes or _agrees(contributions)):
        raise ConfigError("nothing was erased; give --yes to erase without being asked")
    runs = learned_from(home, contributions)
    records, removed = erase_contributions(home, registry, contributions, by, why, key)
    verb = "would be erased" if dry_run else "is erased"
    lines = [f"{record.id} {verb}, log entry {record.seq}" for record in records]
    lines += [
        f"{record.id}: its bytes stay; {listed(record.bytes_kept)} has the same"
        for record in records
        if record.bytes_kept
    ]
    lines += erased_lines(removed)
    words, tables = adapters(runs)
    data: Erased = {"erasures": [withdrawn(record, runs) for record in records], "cleaned": removed}
    return Output(data, [*lines, *words], tables)


def _agrees(contributions: list[str]) -> bool:
    """Does the person at the terminal want it? Without a terminal nobody can be asked."""
    import sys

    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"Erase {', '.join(contributions)} for good?", err=True)
