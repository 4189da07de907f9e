"""Does the registry match its log? Each check raises IntegrityError for the first fault."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tribute.contributions.intake.commitments import root_of
from tribute.contributions.registry.dvc_remote import POINTER, pointer_md5
from tribute.contributions.registry.head_signature import KEYS, verify_head, verify_keys
from tribute.contributions.registry.identity import verify_identities, verify_signature
from tribute.contributions.registry.log import Entry, head
from tribute.contributions.registry.repository import FOLDERS, Repository
from tribute.contributions.registry.snapshot import Snapshot, promise_of
from tribute.digests import file_sha256
from tribute.errors import IntegrityError


@dataclass(frozen=True)
class Verification:
    """What was checked without finding a fault; `head` stands for the whole history.

    `key` is the registry's public key, empty before the first release. The signatures prove something only if it is
    the key you trust.
    """

    entries: int
    pointers: int
    tags: int
    head: str
    erased: int
    signed: int
    key: str
    reveals: int
    """Revealed commitments whose root was computed again from the rows."""


def verify_registry(repository: Repository) -> Verification:
    """Log, then files, keys and signatures, then tags, then the data of every version. Raises IntegrityError."""
    with repository.lock():
        _tree_is_committed(repository)
        now = Snapshot.of(repository.tree())
        _files_match_log(now)
        verify_identities(now.tree)
        for dataset in now.datasets():
            for contribution in now.contributions(dataset):
                verify_signature(now.tree, contribution)
        keys = verify_keys(now.tree)
        _head_is_signed(now, keys)
        at_tags = _tags_match_log(repository, now.entries)
        signed = _tags_are_signed(at_tags, keys)
        states = [now, *at_tags.values()]
        pointers = _data_is_there(repository, states)
        reveals = _reveals_are_right(repository, states)
    erased = sum(entry.event == "erase" for entry in now.entries)
    key = keys[-1] if keys else ""
    return Verification(len(now.entries), pointers, len(at_tags), head(now.entries), erased, signed, key, reveals)


def _tree_is_committed(repository: Repository) -> None:
    for path in repository.changed():
        raise IntegrityError(f"{repository.root / path}: differs from the last commit; restore or remove it")


def _files_match_log(now: Snapshot) -> None:
    last = {path: digest for entry in now.entries for path, digest in entry.files.items()}
    recorded = {path: digest for path, digest in last.items() if digest}
    present = {path for path in now.tree if path.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    for path in sorted(recorded.keys() | present):
        if path not in now.tree:
            raise IntegrityError(f"{path}: missing; the log records it; restore it")
        if path not in recorded:
            raise IntegrityError(f"{path}: the log does not mention it; remove it")
        digest = hashlib.sha256(now.tree[path]).hexdigest()
        if digest != recorded[path]:
            raise IntegrityError(f"{path}: sha256 {digest}, the log says {recorded[path]}; restore the file")


def _head_is_signed(now: Snapshot, keys: list[str]) -> None:
    """The signature that lies there now is over the last release or erasure."""
    sealing = [entry for entry in now.entries if entry.event in ("release", "erase")]
    if keys and sealing:
        verify_head(now.tree, sealing[-1].entry_hash, keys, "the registry")


def _tags_match_log(repository: Repository, entries: Sequence[Entry]) -> dict[str, Snapshot]:
    releases = {entry.subject: entry for entry in entries if entry.event == "release"}
    tags, snapshots = {tag.name: tag for tag in repository.tags()}, dict[str, Snapshot]()
    for name in sorted(releases.keys() | tags.keys()):
        if name not in tags:
            raise IntegrityError(f"tag {name}: missing; the log records it; `tribute release {name}` makes it again")
        if name not in releases:
            raise IntegrityError(f"tag {name}: the log does not mention it; remove it")
        if not tags[name].annotated:
            raise IntegrityError(f"tag {name}: found a plain tag, expected an annotated one; restore it")
        snapshots[name] = Snapshot.of(repository.tree(name))
        if head(snapshots[name].entries) != releases[name].entry_hash:
            raise IntegrityError(f"tag {name}: its commit does not end with the release of {name}; restore the tag")
        _files_match_log(snapshots[name])
    return snapshots


def _tags_are_signed(at_tags: dict[str, Snapshot], keys: list[str]) -> int:
    """Those that were released since the registry has a key."""
    signed = {name: at for name, at in at_tags.items() if KEYS in at.tree}
    for name, at in signed.items():
        verify_head(at.tree, head(at.entries), keys, f"tag {name}")
    return len(signed)


def _data_is_there(repository: Repository, snapshots: Sequence[Snapshot]) -> int:
    """All data that a version or the present state points to, except erased data; returns how many files that is."""
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
            # md5 is DVC's name for the object; only sha256 shows that nobody swapped the bytes.
            expected = digests.get((path, hashlib.sha256(at.tree[path]).hexdigest()))
            if expected and file_sha256(file) != expected:
                raise IntegrityError(f"{path}: its data does not have the sha256 {expected} of the log")
            checked.add((path, md5))
    return len(checked)


def _reveals_are_right(repository: Repository, snapshots: Sequence[Snapshot]) -> int:
    """Revealed rows give the root of their commitment, which is to as many rows by the same name; returns how many.

    Reveals without a salt in the log, as they were recorded at first, cannot be computed again.
    """
    now = snapshots[0]
    erased, checked = now.erased_md5s(), set[int]()
    for at in snapshots:
        for contribution in (item for dataset in at.datasets() for item in at.contributions(dataset)):
            entry = at.live[contribution.id]
            if "salt" not in entry.details or contribution.md5 in erased or entry.seq in checked:
                continue
            committed = now.commitments.get(entry.details["commitment"])
            if committed is None or promise_of(committed) != promise_of(entry):
                raise IntegrityError(
                    f"log entry {entry.seq}: {contribution.id} keeps no commitment of its contributor to so many rows; "
                    "withdraw it"
                )
            salt = bytes.fromhex(entry.details["salt"])
            if root_of(salt, repository.object(contribution.md5)) != committed.subject:
                raise IntegrityError(
                    f"log entry {entry.seq}: the rows of {contribution.id} are not those of the commitment in entry "
                    f"{committed.seq}; withdraw it"
                )
            checked.add(entry.seq)
    return len(checked)
