"""Releasing a version: screen, check the number against what changed, record, sign, tag."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tribute.contributions.normal_form import NORMAL_FORM
from tribute.contributions.registry.dvc_remote import POINTER
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import exclusions_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.registry.versions import Version, number, refuse_number, release_message
from tribute.contributions.releases.diff import changed_rows, excluded_rows
from tribute.contributions.releases.retired import retired_evaluations
from tribute.contributions.releases.tables import write_exclusions
from tribute.contributions.releases.token_keys import named_ids, token_keys
from tribute.contributions.releases.tokenizer import Tokenizer
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening import Finding, Screening, excluded, find
from tribute.contributions.screening.findings import AFTER_SEALING, TERMS, Encoder
from tribute.contributions.terms import refusal
from tribute.errors import RegistryError
from tribute.ids import parse_tag


def screen_dataset(
    registry: Registry, dataset: str, encoder: Encoder | None = None, tokenizer: Tokenizer | None = None
) -> list[Finding]:
    """What a release would find now, row by row."""
    now = registry.snapshot()
    schema = now.schema(dataset)
    screening = Screening(
        registry.rows(now, dataset),
        _sealed_rows(registry, now, dataset),
        schema,
        now.policy(dataset),
        encoder,
        named_ids(schema, tokenizer) if tokenizer else None,
    )
    return [*find(screening), *_by_log(screening.rows, now, dataset)]


def check_release(registry: Registry, tag: str, tokenizer: Tokenizer | None = None) -> list[Finding]:
    """The rows that releasing `tag` would exclude. Raises RegistryError where it would be refused."""
    dataset, _ = parse_tag(tag)
    now = registry.snapshot()
    _refuse(now, tag, dataset)
    exclusions = _excluded(registry, now, dataset, tokenizer)
    _refuse_number(registry, now, tag, exclusions)
    return exclusions


def release_version(registry: Registry, tag: str, tokenizer: Tokenizer | None = None) -> Version:
    """Screen the dataset and tag it as a version; one that was recorded before its tag is finished.

    `tokenizer` reads the texts as the base model does; it has to be given where the schema names one.
    """
    dataset, _ = parse_tag(tag)
    if _finish_recorded(registry, tag):
        return registry.version(tag)
    repository, path = registry.repository, exclusions_path(dataset)

    def body() -> None:
        now = registry.snapshot()
        _refuse(now, tag, dataset)
        exclusions = _excluded(registry, now, dataset, tokenizer)
        _refuse_number(registry, now, tag, exclusions)
        with repository.staging() as folder:
            table = folder / "exclusions.parquet"
            write_exclusions(table, exclusions)
            repository.add({path: table})
        registry.record(LedgerRecord("release", dataset, tag, [path + POINTER], _figures(now, dataset, exclusions)))
        registry.sign_head()
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


def _refuse_number(registry: Registry, now: Snapshot, tag: str, exclusions: Sequence[Finding]) -> None:
    """Raise RegistryError where the number of the version understates what changed."""
    dataset, _ = parse_tag(tag)
    before = max(registry.versions(dataset), key=lambda version: number(version.version), default=None)
    if before is None:
        return
    then = registry.snapshot(before.tag)
    old, new = ({item.id: item for item in at.contributions(dataset)} for at in (then, now))
    out = {finding.row.row_id for finding in exclusions}
    refuse_number(tag, before.tag, *changed_rows(old, new, excluded_rows(registry, then, dataset), out))


def _excluded(registry: Registry, now: Snapshot, dataset: str, tokenizer: Tokenizer | None) -> list[Finding]:
    schema = now.schema(dataset)
    rows, evaluation = registry.rows(now, dataset), _sealed_rows(registry, now, dataset)
    keys = token_keys(registry, schema, tokenizer)
    findings = find(Screening(rows, evaluation, schema, now.policy(dataset), token_keys=keys))
    return excluded(rows, [*findings, *_by_log(rows, now, dataset)], now.decisions(dataset))


def _sealed_rows(registry: Registry, now: Snapshot, dataset: str) -> list[ContributedRow]:
    """The evaluation; where it is sealed anew for each version, those of earlier versions, too: nobody's own rows."""
    rows = registry.evaluation_rows(now, dataset)
    if not now.policy(dataset).sealed_later:
        return rows
    for version, retired in retired_evaluations(registry, dataset, skip=[str(now.evaluation_md5(dataset))]):
        rows += [replace(row, contribution_id=f"{row.contribution_id}-{version.version}") for row in retired]
    return rows


def _by_log(rows: Sequence[ContributedRow], now: Snapshot, dataset: str) -> list[Finding]:
    """What follows from the log, whatever the rows say."""
    return [*_against_terms(rows, now, dataset), *_after_sealing(rows, now, dataset)]


def _after_sealing(rows: Sequence[ContributedRow], now: Snapshot, dataset: str) -> list[Finding]:
    """Rows that count from later than the evaluation, where the policy pays only for rows from before it."""
    if not now.policy(dataset).sealed_later:
        return []
    sealed = now.sealed_seq(dataset)
    later = {item.id: item.seq for item in now.contributions(dataset) if item.seq > sealed}
    return [
        Finding(row, AFTER_SEALING, None, 1.0, 1.0, "log", f"log entry {seq}; the evaluation's is {sealed}")
        for row in rows
        if (seq := later.get(row.contribution_id))
    ]


def _against_terms(rows: Sequence[ContributedRow], now: Snapshot, dataset: str) -> list[Finding]:
    """Rows from which their contributor does not allow a model to learn today."""
    today = datetime.now(UTC).date()
    refused = {item.id: refusal(item.terms, today) for item in now.contributions(dataset) if item.terms}
    return [
        Finding(row, TERMS, None, 1.0, 1.0, "terms", reason)
        for row in rows
        if (reason := refused.get(row.contribution_id))
    ]


def _finish_recorded(registry: Registry, tag: str) -> bool:
    """Tag a release that was recorded but not tagged; returns whether there was one."""
    repository = registry.repository
    before = {known.name for known in repository.tags()}
    released = {entry.subject for entry in registry.entries() if entry.event == "release"}
    if tag in before or tag not in released:
        return False
    with repository.lock():
        # Taking the lock finishes what was killed; a tag that is still missing was removed by hand.
        if tag not in {known.name for known in repository.tags()}:
            repository.tag(tag, release_message(tag))
    return True


def _figures(now: Snapshot, dataset: str, exclusions: Sequence[Finding]) -> dict[str, Any]:
    contributions = now.contributions(dataset)
    reasons = Counter(finding.reason for finding in exclusions)
    return {
        "contributions": len(contributions),
        "contributors": len({contribution.contributor_id for contribution in contributions}),
        "rows": sum(contribution.rows for contribution in contributions),
        "excluded": len(exclusions),
        "normal_form": NORMAL_FORM,
        "reasons": dict(sorted(reasons.items())),
    }
