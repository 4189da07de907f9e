"""The one ledger of a workspace: `rewards/journal/<month>.csv`, append-only, months sealed one after the other.

    with ledger.writing(workspace) as books:     # nobody else posts meanwhile
        books.post([entry, ...])                 # all of them, or none
    ledger.load(workspace).balances()            # a look at it

The open month is the one after the last closed period; before any period is closed it is the first that something
is posted in. Posting happens in the open month only, so a month's file holds a period's entries, all of them and
no others, and is sealed as a whole when the period closes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from errno import EACCES, EPERM, EROFS
from pathlib import Path

from tribute.errors import IntegrityError
from tribute.files import locked, write_atomically
from tribute.rewards.ledger import journal
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.calendar import read_calendar
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.ledger.recovery import closed_periods, recover
from tribute.rewards.ledger.sealed import seal_missing, sealed_periods
from tribute.workspace import Workspace

FIRST = ".first"
"""The file that names the first period once it is open; from the first close on it says nothing new."""
LOCK = ".lock"
"""What everything that changes `rewards/` holds locked. It lies there, because nobody deletes that folder."""


@contextmanager
def writing(workspace: Workspace) -> Iterator[Ledger]:
    """The ledger, with every other writer kept out; what a crash left is finished or removed first.

    Raises IntegrityError naming the file where a sealed month, or the chain since, is not what it was.
    """
    with locked(workspace.rewards / LOCK):
        recover(workspace.rewards)
        yield _load(workspace.rewards)


def load(workspace: Workspace) -> Ledger:
    """The ledger as it stands. Raises IntegrityError like `writing`."""
    with reading(workspace) as books:
        return books


@contextmanager
def reading(workspace: Workspace) -> Iterator[Ledger]:
    """Like `writing` for those who post nothing; where this process may not write, as the last writer left it."""
    with ExitStack() as stack:
        try:
            books = stack.enter_context(writing(workspace))
        except OSError as error:
            if error.errno not in (EACCES, EPERM, EROFS):
                raise
            books = _load(workspace.rewards)
        yield books


def set_first(rewards: Path, period: str) -> None:
    """Say which period is open where none is closed yet; only under the lock."""
    if not closed_periods(rewards):
        write_atomically(rewards / FIRST, period.encode())


def post(workspace: Workspace, entries: Iterable[Entry]) -> list[Posting]:
    """Post entries, all or none, see `Ledger.post`."""
    with writing(workspace) as books:
        return books.post(entries)


def _load(rewards: Path) -> Ledger:
    folder, closed = rewards / "journal", sealed_periods(rewards)
    postings = [posting for file in sorted(folder.glob("*.csv")) for posting in journal.read_journal(file)]
    _check_open(rewards, postings, closed)
    first = rewards / FIRST
    return Ledger(
        folder, postings, closed, first.read_text(encoding="utf-8") if first.exists() else "", read_calendar(rewards)
    )


def _check_open(rewards: Path, postings: Sequence[Posting], closed: Sequence[str]) -> None:
    """What is posted since the last close goes on with the sealed months, and none of it is a close's."""
    new = [posting for posting in postings if posting.period not in closed]
    if lost := next((posting.period for posting in new if posting.event == "FUND"), None):
        raise seal_missing(rewards, lost)
    seq = len(postings) - len(new)
    if faults := journal.faults(new, postings[seq - 1].hash if seq else journal.GENESIS, seq):
        raise IntegrityError(f"{rewards / 'journal' / new[0].period}.csv: {faults[0]}; restore the file")
