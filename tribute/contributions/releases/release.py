"""Cutting a version: screen, check the number against what changed, record, sign, tag. Listing versions."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import exclusions_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import POINTER
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.registry.versions import Version, number, refuse_number, release_message
from tribute.contributions.releases import dataset_tables
from tribute.contributions.releases.diff import changed_rows, excluded_rows
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening import screen
from tribute.contributions.screening.findings import Encoder, Finding
from tribute.contributions.terms import refusal
from tribute.errors import RegistryError
from tribute.ids import parse_tag


def screen_dataset(registry: Registry, dataset: str, encoder: Encoder | None = None) -> list[Finding]:
    """What a release would find now, row by row."""
    now = registry.snapshot()
    rows, evaluation = registry.rows(now, dataset), registry.evaluation_rows(now, dataset)
    return screen.find(rows, evaluation, now.schema(dataset), now.policy(dataset), encoder)


def check_release(registry: Registry, tag: str) -> list[Finding]:
    """The rows that releasing `tag` would exclude. Raises RegistryError where it would be refused."""
    dataset, _ = parse_tag(tag)
    now = registry.snapshot()
    _refuse(now, tag, dataset)
    exclusions = _excluded(registry, now, dataset)
    _refuse_number(registry, now, tag, exclusions)
    return exclusions


def release_version(registry: Registry, tag: str) -> Version:
    """Screen the dataset and tag it as a version; one that was cut before its tag is finished."""
    dataset, _ = parse_tag(tag)
    if _was_cut(registry, tag):
        return registry.version(tag)
    repository, path = registry.repository, exclusions_path(dataset)

    def body() -> None:
        now = registry.snapshot()
        _refuse(now, tag, dataset)
        exclusions = _excluded(registry, now, dataset)
        _refuse_number(registry, now, tag, exclusions)
        with repository.staging() as folder:
            table = folder / "exclusions.parquet"
            dataset_tables.write_exclusions(table, exclusions)
            repository.add({path: table})
        registry.record(LedgerRecord("release", dataset, tag, [path + POINTER], _figures(now, dataset, exclusions)))
        registry.seal()
        # Pushed before the tag exists: whoever finds the tag finds the data.
        repository.push()

    repository.transact(release_message(tag), body, tag)
    return registry.version(tag)


def _refuse(now: Snapshot, tag: str, dataset: str) -> None:
    now.schema(dataset)
    if any(entry.event == "release" and entry.subject == tag for entry in now.entries):
        raise RegistryError(f"version {tag} is released already and never changes; choose the next number")
    if not now.contributions(dataset):
        raise RegistryError(f"dataset {dataset} has no contributions; `tribute contribute` some first")


def _refuse_number(registry: Registry, now: Snapshot, tag: str, exclusions: list[Finding]) -> None:
    """Raise RegistryError where the number of the version says less than what changed."""
    dataset, _ = parse_tag(tag)
    before = max(registry.versions(dataset), key=lambda one: number(one.version), default=None)
    if before is None:
        return
    then = registry.snapshot(before.tag)
    old, new = ({one.id: one for one in at.contributions(dataset)} for at in (then, now))
    out = {one.row.row_id for one in exclusions}
    refuse_number(tag, before.tag, *changed_rows(old, new, excluded_rows(registry, then, dataset), out))


def _excluded(registry: Registry, now: Snapshot, dataset: str) -> list[Finding]:
    rows, evaluation = registry.rows(now, dataset), registry.evaluation_rows(now, dataset)
    findings = screen.find(rows, evaluation, now.schema(dataset), now.policy(dataset))
    findings += _against_terms(rows, now, dataset)
    return screen.excluded(rows, findings, now.decisions(dataset))


def _against_terms(rows: list[ContributedRow], now: Snapshot, dataset: str) -> list[Finding]:
    """Rows that their contributor does not allow a model to learn from today."""
    today = datetime.now(UTC).date()
    refused = {one.id: refusal(one.terms, today) for one in now.contributions(dataset) if one.terms}
    return [
        Finding(row, "terms", None, 1.0, 1.0, "terms", reason)
        for row in rows
        if (reason := refused.get(row.contribution_id))
    ]


def _was_cut(registry: Registry, tag: str) -> bool:
    """Was the release recorded and not tagged? Then it is tagged now."""
    repository = registry.repository
    before = {one.name for one in repository.tags()}
    released = {entry.subject for entry in registry.entries() if entry.event == "release"}
    if tag in before or tag not in released:
        return False
    with repository.lock():
        # Taking the lock finishes what was killed; what is missing still was removed by hand.
        if tag not in {one.name for one in repository.tags()}:
            repository.tag(tag, release_message(tag))
    return True


def _figures(now: Snapshot, dataset: str, exclusions: list[Finding]) -> dict[str, Any]:
    contributions = now.contributions(dataset)
    figures = {
        "contributions": len(contributions),
        "contributors": len({one.contributor_id for one in contributions}),
        "rows": sum(one.rows for one in contributions),
        "excluded": len(exclusions),
    }
    reasons = Counter(one.reason for one in exclusions)
    return figures | {"reasons": dict(sorted(reasons.items()))}
