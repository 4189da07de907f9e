"""The journal: postings, each chained to the one before by its hash, and their CSV form. Knows no balances' meaning.

A journal is a sequence of postings. Those of one entry stand together and carry its `entry_id`, `<period>-<number>`,
numbered from 1 in each month. `seq` and `prev_hash` run on over all months. A line of the file is parsed once, here,
when it is read, and written once, here, with the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

from tribute.digests import Chain
from tribute.errors import IntegrityError
from tribute.rewards import tables
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.entries import Entry, Event

CHAIN = Chain()
GENESIS = CHAIN.genesis
"""`prev_hash` of the first posting of a ledger."""


class Posting(NamedTuple):
    """One line of the journal: what an entry moves on one account.

    `amount` is in minor units of `currency`, debit > 0 and credit < 0. `day` is YYYY-MM-DD and `period` its month.
    `ref` is the entry that this one follows from or corrects, `key` the cause that has one effect only.
    """

    seq: int
    entry_id: str
    day: str
    period: str
    event: Event
    account: str
    amount: int
    currency: str
    contributor_id: str
    ref: str
    reason: str
    key: str
    prev_hash: str
    hash: str

    @property
    def credit(self) -> int:
        """Minor units by which the posting raises what is owed on its account; < 0 lowers it."""
        return -self.amount

    @classmethod
    def parse(cls, line: Mapping[str, str]) -> "Posting":
        """A posting from the texts of a line. Raises ValueError for a number that is none."""
        return cls(
            seq=int(line["seq"]),
            entry_id=line["entry_id"],
            day=line["posted_at"],
            period=line["period"],
            event=cast(Event, line["event_type"]),
            account=line["account"],
            amount=int(line["debit_minor"]) - int(line["credit_minor"]),
            currency=line["currency"],
            contributor_id=line["contributor_id"],
            ref=line["ref_entry_id"],
            reason=line["reason_code"],
            key=line["idempotency_key"],
            prev_hash=line["prev_hash"],
            hash=line["entry_hash"],
        )

    def texts(self) -> dict[str, str]:
        """The line as it is written and hashed: column → text."""
        return {
            "entry_id": self.entry_id,
            "seq": str(self.seq),
            "posted_at": self.day,
            "period": self.period,
            "event_type": self.event,
            "account": self.account,
            "debit_minor": str(max(self.amount, 0)),
            "credit_minor": str(max(-self.amount, 0)),
            "currency": self.currency,
            "contributor_id": self.contributor_id,
            "ref_entry_id": self.ref,
            "reason_code": self.reason,
            "idempotency_key": self.key,
            "prev_hash": self.prev_hash,
            "entry_hash": self.hash,
        }


def read_journal(path: Path) -> list[Posting]:
    """The postings of a file. Raises IntegrityError naming the file and the line that cannot be read."""
    postings = []
    for number, line in enumerate(tables.read_csv(path, tables.JOURNAL), start=2):
        try:
            postings.append(Posting.parse(line))
        except ValueError as error:
            raise IntegrityError(f"{path}: line {number}: {error}; restore the file") from error
    return postings


def journal_bytes(postings: Iterable[Posting]) -> bytes:
    """The content of the file that holds these postings."""
    return tables.csv_bytes(tables.JOURNAL, [posting.texts() for posting in postings])


def append(postings: Sequence[Posting], entries: Iterable[Entry]) -> list[Posting]:
    """The postings of `entries` as they follow on `postings`, the journal so far."""
    last = postings[-1] if postings else None
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    period, number = (last.period, int(last.entry_id[8:])) if last else ("", 0)
    added: list[Posting] = []
    for entry in entries:
        number = number + 1 if entry.period == period else 1
        period = entry.period
        for account, amount in entry.lines:
            seq += 1
            posting = Posting(
                seq=seq,
                entry_id=f"{period}-{number:06d}",
                day=entry.posted_at,
                period=period,
                event=entry.event,
                account=account,
                amount=amount,
                currency=entry.currency,
                contributor_id=entry.contributor_id,
                ref=entry.ref_entry_id,
                reason=entry.reason_code,
                key=entry.idempotency_key,
                prev_hash=previous,
                hash="",
            )
            previous = entry_hash(posting.texts())
            added.append(posting._replace(hash=previous))
    return added


def entry_of(postings: Sequence[Posting]) -> Entry:
    """The entry whose postings these are."""
    first = postings[0]
    return Entry(
        first.event,
        tuple((posting.account, posting.amount) for posting in postings),
        first.day,
        first.currency,
        first.key,
        contributor_id=first.contributor_id,
        ref_entry_id=first.ref,
        reason_code=first.reason,
    )


def mirror(event: Event, postings: Sequence[Posting], *, posted_at: str, key: str, reason_code: str) -> Entry:
    """The exact reverse of the entry with these postings, linked to it."""
    entry = entry_of(postings)
    return replace(
        entry,
        event=event,
        lines=tuple((account, -amount) for account, amount in entry.lines),
        posted_at=posted_at,
        idempotency_key=key,
        ref_entry_id=postings[0].entry_id,
        reason_code=reason_code,
    )


def entry_hash(line: Mapping[str, str]) -> str:
    """sha256 of a line's texts without its `entry_hash`, as RFC 8785 JSON."""
    return CHAIN.hash_of(line)


def faults(postings: Iterable[Posting], previous: str = GENESIS, seq: int = 0) -> list[str]:
    """What is wrong with a journal, one sentence each; empty when it holds together.

    `previous` and `seq` are the hash and the number of the posting before the first. A number that the file writes
    in another way than `Posting.texts` has another hash than the line carries.
    """
    sentences: list[str] = []
    balance: dict[tuple[str, str], int] = {}
    keys: dict[str, str] = {}
    for number, posting in enumerate(postings, start=seq + 1):
        if posting.seq != number:
            sentences.append(f"line {number} has seq {posting.seq}, expected {number}")
        if posting.prev_hash != previous:
            sentences.append(f"line {number} is not chained to the line before it")
        if posting.hash != entry_hash(posting.texts()):
            sentences.append(f"line {number} does not have the hash that it carries")
        if keys.setdefault(posting.key, posting.entry_id) != posting.entry_id:
            sentences.append(f"line {number} repeats the idempotency key {posting.key}")
        if not posting.day.startswith(posting.period):
            sentences.append(f"line {number} is posted on {posting.day}, outside its period {posting.period}")
        if accounts.owner(posting.account)[0] not in ("", posting.contributor_id):
            sentences.append(f"line {number} moves money of another contributor than {posting.contributor_id}")
        previous = posting.hash
        entry = (posting.entry_id, posting.currency)
        balance[entry] = balance.get(entry, 0) + posting.amount
    sentences += [
        f"entry {entry} debits and credits differ by {rest} {currency} minor units"
        for (entry, currency), rest in balance.items()
        if rest
    ]
    return sentences


Balances = dict[tuple[str, str], int]
"""(Account, currency) → credits minus debits in minor units."""


def account_balances(postings: Iterable[Posting]) -> Balances:
    """What stands on each account."""
    totals: Balances = {}
    for posting in postings:
        key = (posting.account, posting.currency)
        totals[key] = totals.get(key, 0) + posting.credit
    return totals
