"""What waits for a person, and what persons decided: recorded with who and why, and never overwritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.releases.release import screen_dataset
from tribute.contributions.screening import screen
from tribute.contributions.screening.findings import Encoder, Finding
from tribute.errors import RegistryError
from tribute.ids import parse_row_id

Verdict = Literal["accept", "reject"]


@dataclass(frozen=True)
class Decided:
    """Rows of one dataset that got the same verdict."""

    dataset: str
    rows: tuple[str, ...]
    seq: int


def review(registry: Registry, dataset: str, encoder: Encoder | None = None) -> list[Finding]:
    """What waits for a person, in the order of the rows; with an encoder also what only meaning shows."""
    now = registry.snapshot()
    waiting = screen.waiting(screen_dataset(registry, dataset, encoder), now.decisions(dataset))
    order = {one.id: place for place, one in enumerate(now.contributions(dataset))}
    return sorted(waiting, key=lambda one: (order[one.row.contribution_id], one.row.row.line))


def decide(registry: Registry, verdict: Verdict, rows: Sequence[str], by: str, why: str) -> list[Decided]:
    """Record a verdict on rows; it holds from the next release on, until another one is recorded.

    Raises RegistryError for a row that is not there, or without who and why.
    """
    if not by.strip() or not why.strip():
        raise RegistryError(f"to {verdict} rows say who decides and why: --by NAME --why TEXT")

    def body() -> list[Decided]:
        now = registry.snapshot()
        by_dataset: dict[str, list[str]] = {}
        for row in dict.fromkeys(rows):
            by_dataset.setdefault(_dataset_of(now, row), []).append(row)
        subject = rows[0] if len(rows) == 1 else f"{len(rows)} rows"
        news = [
            LedgerRecord(verdict, dataset, subject, details={"rows": own, "by": by, "why": why})
            for dataset, own in by_dataset.items()
        ]
        registry.record(*news)
        first = len(now.entries) + 1
        return [Decided(dataset, tuple(own), first + place) for place, (dataset, own) in enumerate(by_dataset.items())]

    message = f"{verdict.title()} {rows[0] if len(rows) == 1 else f'{len(rows)} rows'}"
    return registry.repository.transact(message, body)


def _dataset_of(now: Snapshot, row: str) -> str:
    contribution, line = parse_row_id(row)
    entry = now.live.get(contribution)
    if entry is None or not 1 <= line <= entry.details["rows"]:
        raise RegistryError(f"there is no row {row}; expected CONTRIBUTION:LINE as `tribute review` lists them")
    return entry.dataset
