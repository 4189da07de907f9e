"""Taking a contribution back: `withdraw` keeps its history, `erase` removes its bytes for good.

Both stop its use from the next version on; what was earned stays. Knows nothing of models: which of them learned
from the rows is read from the runs.
"""

from dataclasses import dataclass
from pathlib import Path

from tribute.contributions.registry.dvc_remote import POINTER, pointer_md5
from tribute.contributions.registry.identity import refuse_stranger
from tribute.contributions.registry.log import Entry, LedgerRecord
from tribute.contributions.registry.paths import data_path, meta_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.row_hashes import forget_hashes
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
        live = now.recorded(contribution)
        if live is None:
            return _already(now, contribution)
        refuse_stranger(now, live, key)
        pointer = data_path(live.id) + POINTER
        registry.repository.remove(pointer)
        details = {"contributor_id": live.contributor_id, "by": by, "why": why}
        registry.record(LedgerRecord("withdraw", live.dataset, live.id, details=details, removed=[pointer]))
        return Withdrawal(live.id, live.contributor_id, live.dataset, len(now.entries) + 1)

    return registry.repository.transact(f"Withdraw {contribution}", body)


def erase(registry: Registry, contribution: str, by: str, why: str, key: Path | None = None) -> Withdrawal:
    """Remove a contribution's bytes from tree, cache and remote, unless a live contribution has the very same.

    The log keeps a tombstone, and its head is signed again. Running it again finishes what was interrupted. Old
    versions that held the rows can no longer be laid out. Raises RegistryError like `withdraw`.
    """
    _refuse_nobody(by, why)

    def body() -> Withdrawal:
        now = registry.snapshot()
        entry = now.gone.get(contribution)
        if entry is not None and entry.event == "erase":
            return _already(now, contribution)
        last = now.recorded(contribution) or _before_withdrawal(registry, now, contribution)
        refuse_stranger(now, last, key)
        pointer, shared = data_path(last.id) + POINTER, _sharing(now, last)
        removed = [path for path in (pointer, meta_path(last.id)) if path in now.tree]
        for path in removed:
            registry.repository.remove(path)
        # A tombstone: nothing in it tells what the rows said.
        details = {
            "contributor_id": last.contributor_id,
            "by": by,
            "why": why,
            "rows": last.rows,
            "md5s": [] if shared else [last.md5],
        }
        registry.record(LedgerRecord("erase", last.dataset, last.id, details=details, removed=removed))
        registry.sign_head()
        return Withdrawal(last.id, last.contributor_id, last.dataset, len(now.entries) + 1, tuple(shared))

    erased = registry.repository.transact(f"Erase {contribution}", body)
    if not registry.repository.dry_run:
        forget_erased(registry)
    return erased


def contributions_of(registry: Registry, contributor: str) -> list[str]:
    """The contributions of a contributor, earliest first: erased ones, too, of which something may be left.

    Raises RegistryError where there was none.
    """
    entries = registry.entries()
    by = [entry.subject for entry in entries if entry.event == "contribute" and _by(entry) == contributor]
    known = list(dict.fromkeys(by))
    if not known:
        raise RegistryError(f"there is no contribution of {contributor}; `tribute show DATASET` lists contributors")
    return known


def _by(entry: Entry) -> str:
    return str(entry.details["contributor_id"])


def forget_erased(registry: Registry) -> None:
    """Remove what tombstones speak of and still exists: the bytes, and the hashes kept beside the registry."""
    now = registry.snapshot()
    if md5s := now.erased_md5s():
        registry.repository.forget(sorted(md5s))
    live = {item.sha256 for dataset in now.datasets() for item in now.contributions(dataset)}
    forget_hashes(registry, live)


def _sharing(now: Snapshot, erased: Contribution) -> list[str]:
    """The live contributions, and sealed evaluations, of exactly the same bytes."""
    same = []
    for dataset in now.datasets():
        same += [other.id for other in now.contributions(dataset) if other.md5 == erased.md5 and other.id != erased.id]
        same += [f"the evaluation of {dataset}"] * (now.evaluation_md5(dataset) == erased.md5)
    return same


def _before_withdrawal(registry: Registry, now: Snapshot, contribution: str) -> Contribution:
    """A withdrawn contribution as it was: its pointer is in the commit before the one that removed it."""
    if contribution not in now.gone:
        raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
    path = data_path(contribution) + POINTER
    last = registry.repository.git("log", "-1", "--format=%H", "--diff-filter=D", "--", path).decode().strip()
    before = registry.snapshot(f"{last}^")
    last_state = before.recorded(contribution)
    if last_state is None or pointer_md5(before.tree[path], path) != last_state.md5:
        raise RegistryError(f"contribution {contribution}: its history cannot be read; `tribute verify registry`")
    return last_state


def _already(now: Snapshot, contribution: str) -> Withdrawal:
    entry = now.gone.get(contribution)
    if entry is None:
        raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
    return Withdrawal(contribution, entry.details["contributor_id"], entry.dataset, entry.seq)


def _refuse_nobody(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise RegistryError("say who takes it back and why: --by NAME --why TEXT")
