"""`tribute diff`."""

from dataclasses import asdict
from typing import Annotated

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import listed

SHOWN = 50


@command
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A released version, NAME@vX.Y.Z.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another version of the same dataset.")],
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Compare two versions: rows and contributors added and removed, and the shift of the labels."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import diff as releases
    from tribute.workspace import Workspace

    changes = releases.diff(Registry.open(Workspace.open(workspace)), before, after)
    moved = sorted(changes.labels.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
    rows = [(name, f"{old:.2%}", f"{new:.2%}", f"{100 * (new - old):+.2f}") for name, (old, new) in moved if old != new]
    lines = [
        f"{before} → {after}: {changes.rows_added} rows added, {changes.rows_removed} removed",
        f"contributors added: {listed(changes.contributors_added)}; removed: {listed(changes.contributors_removed)}",
        f"contributions added: {len(changes.contributions_added)}, removed: {len(changes.contributions_removed)}",
        f"label shift {changes.label_shift:.4f} (0: the same distribution, 1: nothing in common)",
    ]
    columns = ("label", before, after, "points")
    return Output(asdict(changes), lines, [Table("Labels", columns, rows[:SHOWN], right=columns[1:])] if rows else [])
