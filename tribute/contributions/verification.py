"""Is the registry what its ledger says? Each check raises IntegrityError for the first thing wrong."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tribute.artifacts import file_sha256
from tribute.contributions import ledger
from tribute.contributions.repository import FOLDERS, POINTER, Repository, pointer_md5
from tribute.contributions.snapshot import Snapshot
from tribute.errors import IntegrityError


@dataclass(frozen=True)
class Verification:
    """What was walked without finding a fault; `head` stands for the whole history."""

    entries: int
    pointers: int
    tags: int
    head: str


def verify(repository: Repository) -> Verification:
    """Ledger, then files, then data, then tags. Raises IntegrityError."""
    with repository.lock():
        _tree_is_committed(repository)
        now = Snapshot.of(repository.tree())
        _files_are_the_ledgers(now)
        pointers = _data_is_there(repository, now)
        tags = _tags_are_the_ledgers(repository, now.entries)
    return Verification(len(now.entries), pointers, tags, ledger.head(now.entries))


def _tree_is_committed(repository: Repository) -> None:
    for path in repository.changed():
        raise IntegrityError(f"{repository.root / path}: differs from the last commit; restore or remove it")


def _files_are_the_ledgers(now: Snapshot) -> None:
    recorded = {path: digest for entry in now.entries for path, digest in entry.files.items()}
    found = {path for path in now.tree if path.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    for path in sorted(recorded.keys() | found):
        if path not in now.tree:
            raise IntegrityError(f"{path}: missing; the ledger records it; restore it")
        if path not in recorded:
            raise IntegrityError(f"{path}: the ledger does not know it; remove it")
        digest = hashlib.sha256(now.tree[path]).hexdigest()
        if digest != recorded[path]:
            raise IntegrityError(f"{path}: sha256 {digest}, the ledger says {recorded[path]}; restore the file")


def _data_is_there(repository: Repository, now: Snapshot) -> int:
    pointers = sorted(path for path in now.tree if path.endswith(POINTER))
    digests = {
        path: entry.details["sha256"] for entry in now.entries if "sha256" in entry.details for path in entry.files
    }
    for path in pointers:
        file = repository.object(pointer_md5(now.tree[path], path))
        # md5 names the object for DVC; that nobody swapped the bytes is what sha256 is for.
        if path in digests and file_sha256(file) != digests[path]:
            raise IntegrityError(f"{path}: its data does not have the sha256 {digests[path]} of the ledger")
    return len(pointers)


def _tags_are_the_ledgers(repository: Repository, entries: Sequence[ledger.Entry]) -> int:
    releases = {entry.subject: entry for entry in entries if entry.event == "release"}
    tags = {tag.name: tag for tag in repository.tags()}
    for name in sorted(releases.keys() | tags.keys()):
        if name not in tags:
            raise IntegrityError(f"tag {name}: missing; the ledger records it; `tribute release {name}` makes it again")
        if name not in releases:
            raise IntegrityError(f"tag {name}: the ledger does not know it; remove it")
        if not tags[name].annotated:
            raise IntegrityError(f"tag {name}: found a plain tag, expected an annotated one; restore it")
        if ledger.head(Snapshot.of(repository.tree(name)).entries) != releases[name].entry_hash:
            raise IntegrityError(f"tag {name}: its commit does not end with the release of {name}; restore the tag")
    return len(tags)
