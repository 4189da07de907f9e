"""Is the registry what its ledger says? Each check raises IntegrityError for the first thing wrong."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tribute.contributions.registry import head_signature, log
from tribute.contributions.registry.identity import verify_identities, verify_signature
from tribute.contributions.registry.repository import FOLDERS, POINTER, Repository, pointer_md5
from tribute.contributions.registry.snapshot import Snapshot
from tribute.digests import file_sha256
from tribute.errors import IntegrityError


@dataclass(frozen=True)
class Verification:
    """What was walked without finding a fault; `head` stands for the whole history.

    `key` is the registry's public key: that it is the one you know makes the signatures worth something. It is
    empty before the first release.
    """

    entries: int
    pointers: int
    tags: int
    head: str
    erased: int
    signed: int
    key: str


def verify_registry(repository: Repository) -> Verification:
    """Ledger, then files, keys and signatures, then tags, then the data of every version. Raises IntegrityError."""
    with repository.lock():
        _tree_is_committed(repository)
        now = Snapshot.of(repository.tree())
        _files_are_the_ledgers(now)
        verify_identities(now.tree)
        for dataset in now.datasets():
            for one in now.contributions(dataset):
                verify_signature(now.tree, one)
        keys = head_signature.verify_keys(now.tree)
        _head_is_signed(now, keys)
        at_tags = _tags_are_the_ledgers(repository, now.entries)
        signed = _tags_are_signed(at_tags, keys)
        pointers = _data_is_there(repository, [now, *at_tags.values()])
    erased = sum(entry.event == "erase" for entry in now.entries)
    key = keys[-1] if keys else ""
    return Verification(len(now.entries), pointers, len(at_tags), log.head(now.entries), erased, signed, key)


def _tree_is_committed(repository: Repository) -> None:
    for path in repository.changed():
        raise IntegrityError(f"{repository.root / path}: differs from the last commit; restore or remove it")


def _files_are_the_ledgers(now: Snapshot) -> None:
    last = {path: digest for entry in now.entries for path, digest in entry.files.items()}
    recorded = {path: digest for path, digest in last.items() if digest}
    found = {path for path in now.tree if path.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    for path in sorted(recorded.keys() | found):
        if path not in now.tree:
            raise IntegrityError(f"{path}: missing; the ledger records it; restore it")
        if path not in recorded:
            raise IntegrityError(f"{path}: the ledger does not know it; remove it")
        digest = hashlib.sha256(now.tree[path]).hexdigest()
        if digest != recorded[path]:
            raise IntegrityError(f"{path}: sha256 {digest}, the ledger says {recorded[path]}; restore the file")


def _head_is_signed(now: Snapshot, keys: list[str]) -> None:
    """The signature that lies there now is over the last release or erasure."""
    sealing = [entry for entry in now.entries if entry.event in ("release", "erase")]
    if keys and sealing:
        head_signature.verify_seal(now.tree, sealing[-1].entry_hash, keys, "the registry")


def _tags_are_the_ledgers(repository: Repository, entries: Sequence[log.Entry]) -> dict[str, Snapshot]:
    releases = {entry.subject: entry for entry in entries if entry.event == "release"}
    tags, found = {tag.name: tag for tag in repository.tags()}, {}
    for name in sorted(releases.keys() | tags.keys()):
        if name not in tags:
            raise IntegrityError(f"tag {name}: missing; the ledger records it; `tribute release {name}` makes it again")
        if name not in releases:
            raise IntegrityError(f"tag {name}: the ledger does not know it; remove it")
        if not tags[name].annotated:
            raise IntegrityError(f"tag {name}: found a plain tag, expected an annotated one; restore it")
        found[name] = Snapshot.of(repository.tree(name))
        if log.head(found[name].entries) != releases[name].entry_hash:
            raise IntegrityError(f"tag {name}: its commit does not end with the release of {name}; restore the tag")
        _files_are_the_ledgers(found[name])
    return found


def _tags_are_signed(at_tags: dict[str, Snapshot], keys: list[str]) -> int:
    """Those that were released since the registry has a key."""
    signed = {name: at for name, at in at_tags.items() if head_signature.KEYS in at.tree}
    for name, at in signed.items():
        head_signature.verify_seal(at.tree, log.head(at.entries), keys, f"tag {name}")
    return len(signed)


def _data_is_there(repository: Repository, snapshots: Sequence[Snapshot]) -> int:
    """Everything that a version or the present points to, but for what was erased; returns how much it is."""
    now = snapshots[0]
    erased, checked = now.erased_md5s(), set[tuple[str, str]]()
    digests = {
        (path, entry.files[path]): entry.details["sha256"]
        for entry in now.entries
        if "sha256" in entry.details
        for path in entry.files
    }
    for at in snapshots:
        for path in sorted(path for path in at.tree if path.endswith(POINTER)):
            md5 = pointer_md5(at.tree[path], path)
            if md5 in erased or (path, md5) in checked:
                continue
            file = repository.object(md5)
            # md5 names the object for DVC; that nobody swapped the bytes is what sha256 is for.
            expected = digests.get((path, hashlib.sha256(at.tree[path]).hexdigest()))
            if expected and file_sha256(file) != expected:
                raise IntegrityError(f"{path}: its data does not have the sha256 {expected} of the ledger")
            checked.add((path, md5))
    return len(checked)
