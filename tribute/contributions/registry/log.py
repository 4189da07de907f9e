"""The registry's log, `ledger.jsonl`: an append-only list in which every entry holds the hash of the one before.

The order of entries decides priority. The log has no clock: the commit that recorded an entry has the time, so two
registries with the same history have the same log, byte for byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import rfc8785

from tribute.digests import Chain
from tribute.errors import IntegrityError
from tribute.strict import parse_json

Event = Literal[
    "declare",
    "policy",
    "publish",
    "key",
    "organisation",
    "commit",
    "contribute",
    "terms",
    "seal",
    "accept",
    "reject",
    "withdraw",
    "erase",
    "release",
]
LEDGER = "ledger.jsonl"
CHAIN = Chain()


@dataclass(frozen=True)
class Entry:
    """One event about a `subject`: a dataset, contribution id or tag.

    `files` maps the path of every file in git that it wrote to the file's sha256, of one that it removed to "".
    """

    seq: int
    event: Event
    dataset: str
    subject: str
    files: Mapping[str, str]
    details: Mapping[str, Any]
    prev_hash: str
    entry_hash: str

    def computed_hash(self) -> str:
        """sha256 of the entry's RFC 8785 JSON without `entry_hash` itself."""
        return CHAIN.hash_of(asdict(self))


def append(
    entries: Sequence[Entry],
    event: Event,
    dataset: str,
    subject: str,
    files: Mapping[str, str],
    details: Mapping[str, Any],
) -> list[Entry]:
    """The entries and one more, chained to the last."""
    blank = Entry(len(entries) + 1, event, dataset, subject, dict(files), dict(details), head(entries), "")
    return [*entries, replace(blank, entry_hash=blank.computed_hash())]


def head(entries: Sequence[Entry]) -> str:
    """The hash of the last entry, which stands for the whole history."""
    return entries[-1].entry_hash if entries else CHAIN.genesis


def dump(entries: Sequence[Entry]) -> bytes:
    """The content of the log's file: one line of RFC 8785 JSON per entry."""
    return b"".join(rfc8785.dumps(asdict(entry)) + b"\n" for entry in entries)


def load(content: bytes, name: str = LEDGER) -> list[Entry]:
    """Read and verify a log's file. Raises IntegrityError naming the first line that is wrong."""
    entries: list[Entry] = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            entry = Entry(**parse_json(line))
        except (ValueError, TypeError) as error:
            raise IntegrityError(f"{name}:{number}: not an entry of the log ({error}); restore the file") from error
        _check(entry, head(entries), number, f"{name}:{number}")
        entries.append(entry)
    return entries


def _check(entry: Entry, previous: str, number: int, where: str) -> None:
    if entry.seq != number:
        raise IntegrityError(f"{where}: entry {entry.seq} found, entry {number} expected; one was removed or added")
    if entry.prev_hash != previous:
        raise IntegrityError(f"{where}: prev_hash {entry.prev_hash} is not the previous entry's hash {previous}")
    if entry.entry_hash != entry.computed_hash():
        raise IntegrityError(f"{where}: the entry was changed: its hash is not {entry.entry_hash}")


@dataclass(frozen=True)
class LedgerRecord:
    """What one entry of the log will say: `written` and `removed` are paths of the tree."""

    event: Event
    dataset: str
    subject: str
    written: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    removed: Sequence[str] = ()
