"""Double entry for one period, each line chained to the one before by its hash.

    FUND     debit  Expenses:DataRewards     credit  Liabilities:Reserve                      the pool
    ACCRUE   debit  Liabilities:Reserve      credit  Liabilities:Contributor:<id>:Accrued     one per payee

An entry is two lines with the same `entry_id`; its debits equal its credits. After the last ACCRUE the
reserve is empty again. Largest remainder leaves nothing over, so there is no ROUND. Entries are posted on
the last day of the period: what is written must not depend on when it was written.
"""

import calendar
import re
from collections.abc import Iterable, Mapping

from tribute.artifacts import canonical_digest
from tribute.errors import RewardError
from tribute.rewards.allocation import Line

GENESIS = "0" * 64
"""`prev_hash` of the first line of a ledger."""
EXPENSE = "Expenses:DataRewards"
RESERVE = "Liabilities:Reserve"

JournalRow = dict[str, str]
"""One line of journal.csv, every value as the text that is written and hashed."""


def accrued_account(contributor_id: str) -> str:
    """The account on which a contributor's earned and not yet payable money stands."""
    return f"Liabilities:Contributor:{contributor_id}:Accrued"


def last_day(period: str) -> str:
    """`2026-11` → `2026-11-30`. Raises RewardError."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", period) or period < "0001":
        raise RewardError(f"period {period!r} is not a month; write it like 2026-11")
    year, month = int(period[:4]), int(period[5:])
    return f"{period}-{calendar.monthrange(year, month)[1]:02d}"


def post_period(
    lines: Iterable[Line], *, period: str, pool_name: str, pool: int, currency: str, previous: str = GENESIS
) -> list[JournalRow]:
    """The period's entries: FUND, then ACCRUE for every amount above 0 in the order of `lines`.

    `previous` is the last `entry_hash` of the ledger that this period continues.
    """
    entries = [("FUND", EXPENSE, RESERVE, pool, "", "pool_funded")]
    for line in lines:
        if line.amount > 0:
            name = line.contributor_id
            entries.append(("ACCRUE", RESERVE, accrued_account(name), line.amount, name, "share_of_pool"))
    rows = []
    for number, (event, debit, credit, amount, contributor_id, reason) in enumerate(entries, start=1):
        key = "/".join(part for part in (period, pool_name, event, contributor_id) if part)
        common = {
            "entry_id": f"{period}-{number:06d}",
            "posted_at": last_day(period),
            "period": period,
            "event_type": event,
            "currency": currency,
            "contributor_id": contributor_id,
            "ref_entry_id": "",
            "reason_code": reason,
            "idempotency_key": key,
        }
        rows.append(common | {"account": debit, "debit_minor": str(amount), "credit_minor": "0"})
        rows.append(common | {"account": credit, "debit_minor": "0", "credit_minor": str(amount)})
    return chain(rows, previous)


def chain(rows: Iterable[Mapping[str, str]], previous: str = GENESIS) -> list[JournalRow]:
    """Number the rows from 1 and set `prev_hash` and `entry_hash`."""
    chained = []
    for seq, row in enumerate(rows, start=1):
        linked = dict(row) | {"seq": str(seq), "prev_hash": previous}
        previous = entry_hash(linked)
        chained.append(linked | {"entry_hash": previous})
    return chained


def entry_hash(row: Mapping[str, str]) -> str:
    """sha256 of a row without its `entry_hash`, as RFC 8785 JSON of texts."""
    return canonical_digest({name: value for name, value in row.items() if name != "entry_hash"})


def faults(rows: Iterable[Mapping[str, str]], previous: str = GENESIS) -> list[str]:
    """What is wrong with a journal, one sentence each; empty when it holds together."""
    found: list[str] = []
    balance: dict[tuple[str, str], int] = {}
    keys: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if row["seq"] != str(number):
            found.append(f"line {number} has seq {row['seq']}, expected {number}")
        if row["prev_hash"] != previous:
            found.append(f"line {number} is not chained to the line before it")
        if row["entry_hash"] != entry_hash(row):
            found.append(f"line {number} does not have the hash that it carries")
        if keys.setdefault(row["idempotency_key"], row["entry_id"]) != row["entry_id"]:
            found.append(f"line {number} repeats the idempotency key {row['idempotency_key']}")
        previous = row["entry_hash"]
        entry = (row["entry_id"], row["currency"])
        balance[entry] = balance.get(entry, 0) + int(row["debit_minor"]) - int(row["credit_minor"])
    found += [
        f"entry {entry} debits and credits differ by {rest} {currency} minor units"
        for (entry, currency), rest in balance.items()
        if rest
    ]
    return found


def balances(rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Account → credits minus debits, in minor units."""
    totals: dict[str, int] = {}
    for row in rows:
        change = int(row["credit_minor"]) - int(row["debit_minor"])
        totals[row["account"]] = totals.get(row["account"], 0) + change
    return totals
