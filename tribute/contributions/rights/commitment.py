"""Commitments in the registry's log: who promised how many rows, and which promises were kept."""

from dataclasses import dataclass

from tribute.contributions.intake.submissions import check_id
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot, promise_of
from tribute.errors import RegistryError


@dataclass(frozen=True)
class Commitment:
    """A recorded promise of rows; `revealed` is the contribution that kept it, empty before."""

    root: str
    contributor_id: str
    dataset: str
    rows: int
    seq: int
    revealed: str = ""


def commit(registry: Registry, root: str, contributor_id: str, dataset: str, rows: int) -> Commitment:
    """Record a commitment, 64 hex digits; the same one again changes nothing.

    Raises RegistryError for one that is recorded with another name, dataset or number of rows.
    """
    if len(root) != 64 or set(root) - set("0123456789abcdef"):
        raise RegistryError(f"{root!r} is no commitment; expected 64 hex digits, as `tribute commit` prints them")
    check_id(contributor_id, "contributor")

    def body() -> Commitment:
        now = registry.snapshot()
        now.schema(dataset)
        if known := now.commitments.get(root):
            if promise_of(known) == (contributor_id, dataset, rows):
                return Commitment(root, contributor_id, dataset, rows, known.seq)
            raise RegistryError(f"commitment {root} is recorded already, in log entry {known.seq}")
        details = {"contributor_id": contributor_id, "rows": rows}
        registry.record(LedgerRecord("commit", dataset, root, details=details))
        return Commitment(root, contributor_id, dataset, rows, len(now.entries) + 1)

    return registry.repository.transact(f"Commit {rows} rows to {dataset}", body)


def commitments_of(now: Snapshot, *contributors: str) -> list[Commitment]:
    """The commitments of one contributor, or of all names of a payee, earliest first."""
    kept = {entry.details["commitment"]: entry.subject for entry in now.entries if "commitment" in entry.details}
    return [
        Commitment(root, owner, entry.dataset, entry.details["rows"], entry.seq, kept.get(root, ""))
        for root, entry in now.commitments.items()
        if (owner := entry.details["contributor_id"]) in contributors
    ]
