"""Remove artifacts and scratch files that nobody used for long and to which no run, period or dispute leads."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output, Table

MEGABYTE = 1_000_000


class UnusedEntry(TypedDict):
    artifact_kind: str
    path: str
    byte_count: int


class Collected(TypedDict):
    unused: list[UnusedEntry]
    byte_count: int


@command
def gc(
    days: Annotated[
        int, typer.Option("--older-than", metavar="DAYS", min=1, help="Keep whatever was made or used since.")
    ] = 30,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Collected]:
    from tribute.pipeline.operations.retention import remove, unused
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    entries = unused(home, days)
    if not dry_run:
        entries = remove(home, entries, days)
    data: Collected = {
        "unused": [{"artifact_kind": each.kind, "path": str(each.path), "byte_count": each.size} for each in entries],
        "byte_count": sum(each.size for each in entries),
    }
    verb = "would remove" if dry_run else "removed"
    line = f"{verb} {len(entries)} unused folders and files, {data['byte_count'] / MEGABYTE:.1f} MB"
    rows = [(each.kind, each.id[:24], f"{each.size / MEGABYTE:.1f}") for each in entries]
    tables = [Table("Unused", ("kind", "name", "MB"), rows, right=("MB",))] if rows else []
    return Output(data, [line], tables)
