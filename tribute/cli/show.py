"""Show what the registry says about a version, a contribution, a row, a contributor or a dataset."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._version import Release, record
from tribute.errors import TributeError

if TYPE_CHECKING:
    from tribute.contributions.registry import Contribution as RecordedContribution
    from tribute.contributions.registry import Registry, Snapshot
    from tribute.workspace import Workspace


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


class RowFinding(TypedDict):
    reason: str
    reason_text: str
    canonical: str | None
    canonical_text: str | None
    similarity: float
    evidence: str


class Row(TypedDict):
    row: str
    contributor: str
    dataset: str
    text: str
    target: str
    row_state: str
    row_findings: list[RowFinding]
    decision: dict[str, Any] | None


class Contributor(TypedDict):
    contributor: str
    contribution_records: list[Contribution]
    removed_contributions: dict[str, str]
    rows: int
    rows_by_reason: dict[str, int]
    commitment_count: int
    unrevealed_count: int
    payee_commitment_count: int
    payee_unrevealed_count: int
    earnings: list[dict[str, str]]


Shown = ReleaseRecord | Contribution | Removal | Dataset | Row | Contributor


@command
def show(
    what: Annotated[
        str,
        typer.Argument(metavar="ID", help="A version, contribution, row CONTRIBUTION:LINE, contributor or dataset."),
    ],
    workspace: WorkspaceFolder = HERE,
) -> Output[Shown]:
    from tribute.contributions.registry import Registry
    from tribute.ids import is_row_id, is_tag
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
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
    if is_row_id(what):
        return _row(registry, what)
    if what not in snapshot.datasets() and what in snapshot.contributors():
        return _contributor(home, registry, what)
    snapshot.schema(what)
    return _dataset(registry, what)


def _row(registry: "Registry", row_id: str) -> Output[Shown]:
    from tribute.contributions.releases import row_view

    view = row_view(registry, row_id)
    findings: list[RowFinding] = [
        {
            "reason": finding.reason,
            "reason_text": f"This row {finding.cause.words}.",
            "canonical": finding.canonical.row_id if finding.canonical else None,
            "canonical_text": finding.canonical.row.text if finding.canonical else None,
            "similarity": finding.similarity,
            "evidence": finding.evidence,
        }
        for finding in view.findings
    ]
    data: Row = {
        "row": view.row,
        "contributor": view.contributor,
        "dataset": view.dataset,
        "text": view.text,
        "target": view.target,
        "row_state": view.state,
        "row_findings": findings,
        "decision": asdict(view.decision) if view.decision else None,
    }
    lines = [f"{name}: {data[name]}" for name in ("row", "contributor", "dataset", "text", "target", "row_state")]
    for finding in findings:
        earlier = f" Earlier row {finding['canonical']}: {finding['canonical_text']}" if finding["canonical"] else ""
        lines.append(f"{finding['reason']}: {finding['reason_text']} {finding['evidence']}{earlier}".rstrip())
    if view.decision:
        lines.append(f"decided: {view.decision.verdict} by {view.decision.by}: {view.decision.why}")
    return Output(data, lines)


def _contributor(home: "Workspace", registry: "Registry", contributor: str) -> Output[Shown]:
    from tribute.contributions.releases import contributor_view
    from tribute.contributions.rights import commitments_of
    from tribute.formatting import counted
    from tribute.pipeline.verification.lineage import parts_of

    view = contributor_view(registry, contributor)
    now = registry.snapshot()
    promised, by_payee = commitments_of(now, contributor), commitments_of(now, *_of_payee(home, now, contributor))
    unrevealed, kept_back = (sum(not each.revealed for each in part) for part in (promised, by_payee))
    earned = [
        {"contribution": part.contribution, "version": part.dataset, "run": part.run, "paid": part.paid}
        for part in parts_of(home, contributor)
    ]
    data: Contributor = {
        "contributor": contributor,
        "contribution_records": [_contribution(contribution) for contribution in view.contributions],
        "removed_contributions": view.removed,
        "rows": view.rows,
        "rows_by_reason": view.left_out,
        "commitment_count": len(promised),
        "unrevealed_count": unrevealed,
        "payee_commitment_count": len(by_payee),
        "payee_unrevealed_count": kept_back,
        "earnings": earned,
    }
    columns = ("contribution", "dataset", "rows", "licence", "log entry")
    rows = [(item.id, item.dataset, str(item.rows), item.licence, str(item.seq)) for item in view.contributions]
    tables = [Table(f"Contributions of {contributor}", columns, rows, right=("rows", "log entry"))] if rows else []
    if earned:
        paid = [tuple(part.values()) for part in earned]
        tables.append(Table("What they earned", ("contribution", "version", "run", "paid"), paid))
    lines = [f"{view.rows} rows; left out or waiting now: {_worded(view.left_out)}"]
    if promised:
        lines.append(f"{counted(len(promised), 'commitment')}, {unrevealed} of them never revealed")
    if len(by_payee) > len(promised):
        whole = counted(len(by_payee), "commitment")
        lines.append(f"with all names of one bank account or organisation: {whole}, {kept_back} of them never revealed")
    lines += [f"{id_}: {'erased' if event == 'erase' else 'withdrawn'}" for id_, event in view.removed.items()]
    return Output(data, lines, tables)


def _of_payee(home: "Workspace", now: "Snapshot", contributor: str) -> set[str]:
    """All names that are paid to one account with this one; of an organisation alone where the vault stays closed."""
    from tribute.contributions.rights import read_vault, same_payees

    if not now.commitments:
        return {contributor}
    try:
        people = read_vault(home.vault)
    except TributeError:
        people = {}
    # Who commits and shows nothing is no contributor yet.
    names = now.contributors() | {entry.details["contributor_id"] for entry in now.commitments.values()}
    payees = same_payees(now.tree, people, names | {contributor})
    return {contributor} | {name for name, payee in payees.items() if payee == payees.get(contributor)}


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
    columns = ("contribution", "contributor", "rows", "licence", "log entry")
    table = Table(f"Contributions to {dataset}", columns, rows, right=("rows", "log entry"))
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
