"""What became of a row, and of everything that one contributor contributed: for a steward, not for contributors."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution
from tribute.contributions.releases.release import screen_dataset
from tribute.contributions.screening import BY_CODE, FOLLOWS, Decision, Finding, excluded
from tribute.errors import RegistryError
from tribute.ids import contribution_of, parse_row_id


@dataclass(frozen=True)
class RowView:
    """A row, what screening says of it now, and what a person decided; `state` is what follows, in words."""

    row: str
    contributor: str
    dataset: str
    text: str
    target: str
    state: str
    findings: list[Finding]
    decision: Decision | None


@dataclass(frozen=True)
class ContributorView:
    """A contributor's contributions, those taken back, and why rows are left out or wait now."""

    contributor: str
    contributions: list[Contribution]
    removed: dict[str, str]
    rows: int
    left_out: dict[str, int]


def row_view(registry: Registry, row_id: str) -> RowView:
    """What became of a row. Raises RegistryError where there is none such."""
    now = registry.snapshot()
    contribution = now.recorded(contribution_of(row_id))
    if contribution is None or not 1 <= parse_row_id(row_id)[1] <= contribution.rows:
        raise RegistryError(f"there is no row {row_id}; `tribute show CONTRIBUTION` says how many rows one has")
    dataset = contribution.dataset
    row = registry.rows_of(contribution, now.schema(dataset))[parse_row_id(row_id)[1] - 1]
    findings = [finding for finding in _findings(registry, dataset) if finding.row.row_id == row_id]
    decision = now.decisions(dataset).get(row_id)
    out = excluded([row], findings, {row_id: decision} if decision else {})
    state = FOLLOWS[out[0].action] if out else "counts from the next version on"
    return RowView(
        row_id, contribution.contributor_id, dataset, row.row.text, row.row.target, state, findings, decision
    )


def contributor_view(registry: Registry, contributor: str) -> ContributorView:
    """What one contributor contributed and what became of it. Raises RegistryError for an unknown contributor."""
    now = registry.snapshot()
    if contributor not in now.contributors():
        raise RegistryError(f"there is no contributor {contributor}; `tribute show DATASET` lists them")
    held = [
        contribution
        for dataset in now.datasets()
        for contribution in now.contributions(dataset)
        if contribution.contributor_id == contributor
    ]
    removed: dict[str, str] = {
        id_: entry.event for id_, entry in now.gone.items() if entry.details.get("contributor_id") == contributor
    }
    left_out = Counter[str]()
    for dataset in sorted({contribution.dataset for contribution in held}):
        findings = _findings(registry, dataset)
        rows = {finding.row.row_id: finding.row for finding in findings}
        out = excluded(list(rows.values()), findings, _known(now.decisions(dataset), rows))
        left_out.update(finding.reason for finding in out if finding.row.contributor_id == contributor)
    total = sum(contribution.rows for contribution in held)
    ordered = {code: left_out[code] for code in BY_CODE if code in left_out}
    return ContributorView(contributor, held, removed, total, ordered)


def _known(decisions: dict[str, Decision], rows: dict[str, Any]) -> dict[str, Decision]:
    return {row: decision for row, decision in decisions.items() if row in rows}


def _findings(registry: Registry, dataset: str) -> list[Finding]:
    """None before an evaluation is sealed, since rows cannot be screened without it."""
    if registry.snapshot().evaluation_md5(dataset) is None:
        return []
    return screen_dataset(registry, dataset)
