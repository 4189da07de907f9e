"""Taking a contribution back: `withdraw` keeps its history, `erase` removes its bytes for good.

Both stop its use from the next version on; what was earned stays. Knows nothing of models: which of them learned
from the rows is read from the runs, by whoever asks.
"""

from dataclasses import dataclass
from pathlib import Path

from tribute.contributions.registry.identity import refuse_stranger
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import data_path, meta_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import POINTER, pointer_md5
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.errors import RegistryError


@dataclass(frozen=True)
class Withdrawal:
    """A contribution that was withdrawn or erased; `bytes_kept` says whose live rows share the erased bytes."""

    id: str
    contributor_id: str
    dataset: str
    seq: int
    bytes_kept: tuple[str, ...] = ()


def withdraw(registry: Registry, contribution: str, by: str, why: str, key: Path | None = None) -> Withdrawal:
    """Stop the use of a contribution from the next version on; again changes nothing.

    Raises RegistryError where there is none such, or where it is signed and `key` is not the contributor's.
    """
    _refuse_nobody(by, why)

    def body() -> Withdrawal:
        now = registry.snapshot()
        one = now.recorded(contribution)
        if one is None:
            return _already(now, contribution)
        refuse_stranger(now, one, key)
        pointer = data_path(one.id) + POINTER
        registry.repository.remove(pointer)
        details = {"contributor_id": one.contributor_id, "by": by, "why": why}
        registry.record(LedgerRecord("withdraw", one.dataset, one.id, details=details, removed=[pointer]))
        return Withdrawal(one.id, one.contributor_id, one.dataset, len(now.entries) + 1)

    return registry.repository.transact(f"Withdraw {contribution}", body)


def erase(registry: Registry, contribution: str, by: str, why: str, key: Path | None = None) -> Withdrawal:
    """Remove a contribution's bytes from tree, cache and remote, unless a live contribution has the very same.

    The ledger keeps a tombstone, its head is signed anew. Running it again finishes what was interrupted. Old
    versions that held the rows can no longer be laid out. Raises RegistryError like `withdraw`.
    """
    _refuse_nobody(by, why)

    def body() -> Withdrawal:
        now = registry.snapshot()
        entry = now.gone.get(contribution)
        if entry is not None and entry.event == "erase":
            return _already(now, contribution)
        one = now.recorded(contribution) or _before_withdrawal(registry, now, contribution)
        refuse_stranger(now, one, key)
        pointer, shared = data_path(one.id) + POINTER, _sharing(now, one)
        removed = [path for path in (pointer, meta_path(one.id)) if path in now.tree]
        for path in removed:
            registry.repository.remove(path)
        # A tombstone: nothing in it tells what the rows said.
        details = {
            "contributor_id": one.contributor_id,
            "by": by,
            "why": why,
            "rows": one.rows,
            "md5s": [] if shared else [one.md5],
        }
        registry.record(LedgerRecord("erase", one.dataset, one.id, details=details, removed=removed))
        registry.seal()
        return Withdrawal(one.id, one.contributor_id, one.dataset, len(now.entries) + 1, tuple(shared))

    gone = registry.repository.transact(f"Erase {contribution}", body)
    if not registry.repository.rehearsing:
        forget_erased(registry)
    return gone


def forget_erased(registry: Registry) -> None:
    """Remove what tombstones speak of and is still there: the bytes, and the hashes kept beside the registry."""
    now = registry.snapshot()
    if md5s := now.erased_md5s():
        registry.repository.forget(sorted(md5s))
    live_rows = {one.sha256 for dataset in now.datasets() for one in now.contributions(dataset)}
    for kept in (registry.repository.root / ".git" / "tribute-hashes").glob("*.npy"):
        if kept.stem not in live_rows:
            kept.unlink()


def _sharing(now: Snapshot, one: Contribution) -> list[str]:
    """The live contributions, and sealed evaluations, of exactly the same bytes."""
    same = []
    for dataset in now.datasets():
        same += [other.id for other in now.contributions(dataset) if other.md5 == one.md5 and other.id != one.id]
        same += [f"the evaluation of {dataset}"] * (now.evaluation_md5(dataset) == one.md5)
    return same


def _before_withdrawal(registry: Registry, now: Snapshot, contribution: str) -> Contribution:
    """A withdrawn contribution as it was: its pointer is in the commit before the one that removed it."""
    if contribution not in now.gone:
        raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
    path = data_path(contribution) + POINTER
    last = registry.repository.git("log", "-1", "--format=%H", "--diff-filter=D", "--", path).decode().strip()
    before = registry.snapshot(f"{last}^")
    found = before.recorded(contribution)
    if found is None or pointer_md5(before.tree[path], path) != found.md5:
        raise RegistryError(f"contribution {contribution}: its history cannot be read; `tribute verify registry`")
    return found


def _already(now: Snapshot, contribution: str) -> Withdrawal:
    entry = now.gone.get(contribution)
    if entry is None:
        raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
    return Withdrawal(contribution, entry.details["contributor_id"], entry.dataset, entry.seq)


def _refuse_nobody(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise RegistryError("say who takes it back and why: --by NAME --why TEXT")
