"""Show what the registry says about a version, a contribution or a dataset."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._version import Release, record

if TYPE_CHECKING:
    from tribute.contributions.registry import Contribution as RecordedContribution
    from tribute.contributions.registry import Registry


class ReleaseRecord(Release):
    reasons: dict[str, int]
    log_head: str


class Contribution(TypedDict):
    contribution: str
    contributor: str
    dataset: str
    licence: str
    rows: int
    rows_faulty: int
    log_seq: int
    sha256: str
    md5: str
    source_name: str
    source_version: str
    home_page: str
    day: str
    terms: dict[str, Any] | None
    signature: dict[str, str] | None


class Removal(TypedDict):
    contribution: str
    event: str
    log_seq: int
    facts: dict[str, Any]


class Dataset(TypedDict):
    dataset: str
    columns: dict[str, Any]
    contribution_records: list[Contribution]


Shown = ReleaseRecord | Contribution | Removal | Dataset


@command
def show(
    what: Annotated[str, typer.Argument(metavar="ID", help="A version NAME@vX.Y.Z, a contribution or a dataset.")],
    workspace: WorkspaceFolder = HERE,
) -> Output[Shown]:
    from tribute.contributions.registry import Registry
    from tribute.ids import is_tag
    from tribute.workspace import Workspace

    registry = Registry.open(Workspace.open(workspace))
    if is_tag(what):
        version = registry.version(what)
        entry = next(entry for entry in registry.entries() if entry.event == "release" and entry.subject == what)
        reasons = entry.details.get("reasons", {})
        release: ReleaseRecord = {**record(version), "reasons": reasons, "log_head": entry.entry_hash}
        return _facts(release)
    snapshot = registry.snapshot()
    if (contribution := snapshot.recorded(what)) is not None:
        return _facts(_contribution(contribution))
    if what in snapshot.gone:
        tombstone = snapshot.gone[what]
        facts = dict(tombstone.details)
        removal: Removal = {"contribution": what, "event": tombstone.event, "log_seq": tombstone.seq, "facts": facts}
        return _facts(removal)
    snapshot.schema(what)
    return _dataset(registry, what)


def _facts(data: ReleaseRecord | Contribution | Removal) -> Output[Shown]:
    return Output(data, [f"{name}: {_worded(value)}" for name, value in data.items()])


def _dataset(registry: "Registry", dataset: str) -> Output[Shown]:
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
    data: Dataset = {
        "dataset": dataset,
        "columns": snapshot.schema(dataset).model_dump(mode="json"),
        "contribution_records": [_contribution(contribution) for contribution in contributions],
    }
    return Output(data, lines, [table])


def _contribution(recorded: "RecordedContribution") -> Contribution:
    return {
        "contribution": recorded.id,
        "contributor": recorded.contributor_id,
        "dataset": recorded.dataset,
        "licence": recorded.licence,
        "rows": recorded.rows,
        "rows_faulty": recorded.rejected,
        "log_seq": recorded.seq,
        "sha256": recorded.sha256,
        "md5": recorded.md5,
        "source_name": recorded.name,
        "source_version": recorded.version,
        "home_page": recorded.home_page,
        "day": recorded.day,
        "terms": None if recorded.terms is None else dict(recorded.terms),
        "signature": None if recorded.signature is None else dict(recorded.signature),
    }


def _worded(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return "none" if value is None else str(value)
