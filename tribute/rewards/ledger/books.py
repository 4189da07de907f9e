"""The books in memory: the postings of all months, found by entry, key and account, and what may be added to them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tribute import months
from tribute.errors import RewardError
from tribute.files import write_atomically
from tribute.formatting import money
from tribute.rewards.ledger import accounts, journal
from tribute.rewards.ledger.calendar import REAL, Calendar
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.ledger.lots import Lots


class Ledger:
    """The postings of all months, in their order. `post` needs the lock that `writing` holds."""

    def __init__(
        self,
        folder: Path,
        postings: list[Posting],
        closed: Sequence[str],
        first: str = "",
        calendar: Calendar = REAL,
    ) -> None:
        self.folder = folder
        self.postings = postings
        self.closed = list(closed)
        self.first = first
        self.calendar = calendar
        self._entries: dict[str, list[Posting]] = {}
        self._keys: dict[str, str] = {}
        self._balances: journal.Balances = {}
        self.lots = Lots()
        self._index(postings)

    @property
    def head(self) -> str:
        """The hash of the last posting, which stands for the whole history."""
        return self.postings[-1].hash if self.postings else journal.GENESIS

    @property
    def open_period(self) -> str:
        """The month in which may be posted; empty while any may."""
        if self.closed:
            return months.next_period(self.closed[-1])
        return self.postings[-1].period if self.postings else self.first

    @property
    def last_day(self) -> str:
        """The day of the last posting; empty before the first."""
        return self.postings[-1].day if self.postings else ""

    def check_day(self, day: str) -> str:
        """`day` where something may be done on it: last posting ≤ day ≤ today. Raises RewardError."""
        return self.calendar.check_day(day, self.last_day)

    def refuse_period(self, period: str) -> None:
        """Raise RewardError unless `period` is the one to be paid next."""
        if self.open_period and period != self.open_period:
            said = f"follows {self.closed[-1]}, the last closed one" if self.closed else "is begun"
            raise RewardError(
                f"{period} cannot be paid now: the open period is {self.open_period}, which {said}; "
                "periods come one after the other, without gap or overlap"
            )

    def entry(self, entry_id: str) -> list[Posting]:
        """The postings of one entry. Raises RewardError where there is none."""
        if entry_id not in self._entries:
            raise RewardError(f"there is no entry {entry_id} in {self.folder}; entry ids stand in its files")
        return self._entries[entry_id]

    def find(self, key: str) -> list[Posting]:
        """The postings of the entry with this idempotency key; none where it was not posted."""
        return self._entries[self._keys[key]] if key in self._keys else []

    def balances(self) -> journal.Balances:
        """(Account, currency) → credits minus debits."""
        return dict(self._balances)

    def balance(self, account: str, currency: str) -> int:
        """Credits minus debits of one account."""
        return self._balances.get((account, currency), 0)

    def of_period(self, period: str) -> list[Posting]:
        """What was posted in a month."""
        return [posting for posting in self.postings if posting.period == period]

    def with_entries(self, entries: Iterable[Entry]) -> "Ledger":
        """A ledger that `entries` are added to, in memory alone. Raises RewardError like `post`."""
        after = self.copy()
        after.extend(entries)
        return after

    def copy(self) -> "Ledger":
        """A ledger in memory that may be extended without a change to this one."""
        new = Ledger(self.folder, [], self.closed, self.first, self.calendar)
        new.postings, new.lots = list(self.postings), self.lots.copy()
        new._entries, new._keys, new._balances = dict(self._entries), dict(self._keys), dict(self._balances)
        return new

    def extend(self, entries: Iterable[Entry]) -> list[Posting]:
        """Add entries in memory; returns their postings. Raises RewardError like `post`; the copy is of no use then."""
        added = journal.append(self.postings, self._new(entries))
        self._index(added)
        self.postings.extend(added)
        self.lots.check()
        return added

    def post(self, entries: Iterable[Entry]) -> list[Posting]:
        """Post entries, all or none; what was posted already by its key is left as it is. Returns the new postings.

        Raises RewardError for a day outside the open month, before the last posting or after today, for a key that
        another entry carries, and for an account that would be overdrawn.
        """
        after = self.with_entries(entries)
        added = after.postings[len(self.postings) :]
        for day in sorted({posting.day for posting in added}):
            self.calendar.check_day(day)
        if added:
            self.folder.mkdir(parents=True, exist_ok=True)
            period = added[-1].period
            write_atomically(self.folder / f"{period}.csv", journal.journal_bytes(after.of_period(period)))
            self._index(added)
            self.postings.extend(added)
        return added

    def _new(self, entries: Iterable[Entry]) -> list[Entry]:
        new: dict[str, Entry] = {}
        for entry in entries:
            key = entry.idempotency_key
            if posted := self.find(key):
                _check_same(entry, journal.entry_of(posted), posted[0].entry_id)
            elif key in new:
                _check_same(entry, new[key], "in the same batch")
            else:
                new[key] = entry
        self._check_days(list(new.values()))
        self._check_overdrawn(new.values())
        return list(new.values())

    def _check_days(self, entries: Sequence[Entry]) -> None:
        period = self.open_period or (entries[0].period if entries else "")
        last = self.last_day
        for entry in entries:
            day = months.checked_day(entry.posted_at)
            if entry.period in self.closed:
                raise RewardError(f"{day} lies in {entry.period}, which is closed and sealed; post in {period}")
            if entry.period != period:
                raise RewardError(f"{day} lies outside the open period {period}; close that first, or give a day of it")
            if day < last:
                raise RewardError(f"{day} is before the ledger's last posting on {last}; give that day or a later one")
            last = day

    def _check_overdrawn(self, entries: Iterable[Entry]) -> None:
        """Liabilities never fall below 0, claims on contributors never above."""
        change: journal.Balances = {}
        for entry in entries:
            for account, amount in entry.lines:
                key = (account, entry.currency)
                change[key] = change.get(key, 0) - amount
        for (account, currency), amount in change.items():
            total = self.balance(account, currency) + amount
            is_claim = accounts.stage(account) == "Claim"
            if (account.startswith("Liabilities:") and total < 0) or (is_claim and total > 0):
                raise RewardError(
                    f"{account} would be overdrawn by {money(abs(total), currency)}; post no more than stands there"
                )

    def _index(self, postings: Iterable[Posting]) -> None:
        for posting in postings:
            self._entries.setdefault(posting.entry_id, []).append(posting)
            self._keys[posting.key] = posting.entry_id
            self.lots.take(posting)
            key = (posting.account, posting.currency)
            self._balances[key] = self._balances.get(key, 0) + posting.credit


def _check_same(entry: Entry, before: Entry, where: str) -> None:
    """The day may differ: it says when, not what."""
    if replace(entry, posted_at=before.posted_at) != before:
        raise RewardError(
            f"idempotency key {entry.idempotency_key} was posted before with another body ({where}); "
            "a new cause needs a new key"
        )
