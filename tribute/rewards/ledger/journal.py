"""Lines of the ledger, each chained to the one before by its hash. Knows no files and no balances' meaning.

A journal is a run of lines; those of one entry stand together and carry its `entry_id`, `<period>-<number>`, numbered
from 1 in each month. `seq` and `prev_hash` run on over all months.
"""

from collections.abc import Iterable, Mapping, Sequence

from tribute.digests import digest
from tribute.rewards.ledger.entries import Entry, Row

GENESIS = "0" * 64
"""`prev_hash` of the first line of a ledger."""


def appended(rows: Sequence[Mapping[str, str]], entries: Iterable[Entry]) -> list[Row]:
    """The lines of `entries` as they follow on `rows`, the journal so far."""
    last = rows[-1] if rows else None
    seq, previous = (int(last["seq"]), last["entry_hash"]) if last else (0, GENESIS)
    period, number = (last["period"], int(last["entry_id"][8:])) if last else ("", 0)
    made: list[Row] = []
    for entry in entries:
        number = number + 1 if entry.period == period else 1
        period = entry.period
        for row in entry.rows():
            seq += 1
            row |= {"entry_id": f"{period}-{number:06d}", "seq": str(seq), "prev_hash": previous}
            previous = row["entry_hash"] = entry_hash(row)
            made.append(row)
    return made


def entry_hash(row: Mapping[str, str]) -> str:
    """sha256 of a row without its `entry_hash`, as RFC 8785 JSON of texts."""
    content = {name: value for name, value in row.items() if name != "entry_hash"}
    return digest(content)


def faults(rows: Iterable[Mapping[str, str]], previous: str = GENESIS, seq: int = 0) -> list[str]:
    """What is wrong with a journal, one sentence each; empty when it holds together.

    `previous` and `seq` are the hash and the number of the line before the first.
    """
    found: list[str] = []
    balance: dict[tuple[str, str], int] = {}
    keys: dict[str, str] = {}
    for number, row in enumerate(rows, start=seq + 1):
        if row["seq"] != str(number):
            found.append(f"line {number} has seq {row['seq']}, expected {number}")
        if row["prev_hash"] != previous:
            found.append(f"line {number} is not chained to the line before it")
        if row["entry_hash"] != entry_hash(row):
            found.append(f"line {number} does not have the hash that it carries")
        if keys.setdefault(row["idempotency_key"], row["entry_id"]) != row["entry_id"]:
            found.append(f"line {number} repeats the idempotency key {row['idempotency_key']}")
        if not row["posted_at"].startswith(row["period"]):
            found.append(f"line {number} is posted on {row['posted_at']}, outside its period {row['period']}")
        previous = row["entry_hash"]
        entry = (row["entry_id"], row["currency"])
        balance[entry] = balance.get(entry, 0) + int(row["debit_minor"]) - int(row["credit_minor"])
    found += [
        f"entry {entry} debits and credits differ by {rest} {currency} minor units"
        for (entry, currency), rest in balance.items()
        if rest
    ]
    return found


Balances = dict[tuple[str, str], int]
"""(Account, currency) → credits minus debits in minor units."""


def balances(rows: Iterable[Mapping[str, str]]) -> Balances:
    """What stands on each account."""
    totals: Balances = {}
    for row in rows:
        key = (row["account"], row["currency"])
        totals[key] = totals.get(key, 0) + int(row["credit_minor"]) - int(row["debit_minor"])
    return totals
