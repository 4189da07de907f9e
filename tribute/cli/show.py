"""`tribute show`."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry


@command
def show(
    what: Annotated[str, typer.Argument(metavar="ID", help="A version NAME@vX.Y.Z, a contribution or a dataset.")],
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Show what the registry says about a version, a contribution or a dataset."""
    from tribute.contributions.registry import Registry
    from tribute.ids import is_tag
    from tribute.workspace import Workspace

    registry = Registry.open(Workspace.open(workspace))
    if is_tag(what):
        version = registry.version(what)
        entry = next(entry for entry in registry.entries() if entry.event == "release" and entry.subject == what)
        reasons = entry.details.get("reasons", {})
        return _facts(asdict(version) | {"reasons": reasons, "ledger_head": entry.entry_hash})
    snapshot = registry.snapshot()
    if (contribution := snapshot.recorded(what)) is not None:
        return _facts(asdict(contribution))
    if what in snapshot.gone:
        tombstone = snapshot.gone[what]
        return _facts({"contribution": what, "event": tombstone.event, "seq": tombstone.seq, **tombstone.details})
    snapshot.schema(what)
    return _dataset(registry, what)


def _facts(data: dict[str, Any]) -> Output:
    return Output(data, [f"{name}: {_worded(value)}" for name, value in data.items()])


def _dataset(registry: "Registry", dataset: str) -> Output:
    snapshot = registry.snapshot()
    contributions = snapshot.contributions(dataset)
    rows = [
        (
            contribution.id,
            contribution.contributor_id,
            str(contribution.rows),
            contribution.licence,
            str(contribution.seq),
        )
        for contribution in contributions
    ]
    columns = ("contribution", "contributor", "rows", "licence", "ledger")
    table = Table(f"Contributions to {dataset}", columns, rows, right=("rows", "ledger"))
    counts = Counter(entry.event for entry in snapshot.gone.values() if entry.dataset == dataset)
    lines = [f"{len(rows)} contributions; {counts['withdraw']} withdrawn, {counts['erase']} erased"]
    data = {
        "schema": snapshot.schema(dataset).model_dump(mode="json"),
        "contributions": [asdict(contribution) for contribution in contributions],
    }
    return Output(data, lines, [table])


def _worded(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return "none" if value is None else str(value)
