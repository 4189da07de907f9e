"""What a dataset has gained and lost since its last release, and what of it waits for a review. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from tribute.contributions.registry import Registry, Snapshot
from tribute.contributions.releases import review
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Change:
    """A dataset beside its last version (empty where there is none); contributions by id, rows to review counted."""

    dataset: str
    version: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    rows_to_review: int

    @property
    def is_due(self) -> bool:
        """Whether a new version would hold other contributions than the last, and no row waits for a review."""
        return bool(self.added or self.removed) and not self.rows_to_review


def datasets(workspace: Workspace) -> list[str]:
    """The names of the datasets that the registry declares."""
    return list(Registry.open(workspace).snapshot().datasets())


def change(workspace: Workspace, dataset: str) -> Change:
    """A dataset, screened, beside its last release."""
    registry = Registry.open(workspace)
    tags = [version.tag for version in registry.versions(dataset)]
    released = _live(registry, dataset, tags[-1]) if tags else set()
    now = {contribution.id for contribution in registry.snapshot().contributions(dataset)}
    rows = {finding.row.row_id for finding in review(registry, dataset)} if now else set()
    last = tags[-1] if tags else ""
    return Change(dataset, last, tuple(sorted(now - released)), tuple(sorted(released - now)), len(rows))


def page(changes: Sequence[Change], checks: Sequence[str]) -> str:
    """The checks of the registry and the changes as Markdown."""
    rows = [
        f"| {each.dataset} | {each.version or 'none'} | {len(each.added)} | {len(each.removed)} | "
        f"{each.rows_to_review} | {f'`tribute release {each.dataset}@vX.Y.Z`' if each.is_due else ''} |"
        for each in changes
    ]
    head = (
        "| dataset | last version | contributions added | taken back | rows to review | next |",
        "|---|---|--:|--:|--:|---|",
    )
    return "\n".join(["# Release check", "", *(f"- {check}" for check in checks), "", *head, *rows])


def _live(registry: Registry, dataset: str, tag: str) -> set[str]:
    live = Snapshot({}, registry.entries(tag)).live
    return {id_ for id_, entry in live.items() if entry.dataset == dataset}
