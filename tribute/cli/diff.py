"""Compare two versions: rows and contributors added and removed, and the shift of the labels."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import listed

SHOWN = 50


class Changes(TypedDict):
    tag_before: str
    tag_after: str
    rows_added: int
    rows_removed: int
    contributions_added: list[str]
    contributions_removed: list[str]
    contributors_added: list[str]
    contributors_removed: list[str]
    labels: dict[str, tuple[float, float]]
    label_shift: float


@command
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A released version, NAME@vX.Y.Z.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another version of the same dataset.")],
    workspace: WorkspaceFolder = HERE,
) -> Output[Changes]:
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import diff as releases
    from tribute.workspace import Workspace

    changes = releases(Registry.open(Workspace.open(workspace)), before, after)
    moved = sorted(changes.labels.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
    rows = [(name, f"{old:.2%}", f"{new:.2%}", f"{100 * (new - old):+.2f}") for name, (old, new) in moved if old != new]
    lines = [
        f"{before} → {after}: {changes.rows_added} rows added, {changes.rows_removed} removed",
        f"contributors added: {listed(changes.contributors_added)}; removed: {listed(changes.contributors_removed)}",
        f"contributions added: {len(changes.contributions_added)}, removed: {len(changes.contributions_removed)}",
        f"label shift {changes.label_shift:.4f} (0: the same distribution, 1: nothing in common)",
    ]
    data: Changes = {
        "tag_before": before,
        "tag_after": after,
        "rows_added": changes.rows_added,
        "rows_removed": changes.rows_removed,
        "contributions_added": list(changes.contributions_added),
        "contributions_removed": list(changes.contributions_removed),
        "contributors_added": list(changes.contributors_added),
        "contributors_removed": list(changes.contributors_removed),
        "labels": dict(changes.labels),
        "label_shift": changes.label_shift,
    }
    columns = ("label", before, after, "points")
    return Output(data, lines, [Table("Labels", columns, rows[:SHOWN], right=columns[1:])] if rows else [])
