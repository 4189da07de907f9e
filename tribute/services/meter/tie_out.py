"""Does the store add up? Money, budgets, holds, events, receipts and chains, each computed from the others."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from tribute.digests import Chain
from tribute.services.receipts import RECEIPT
from tribute.services.store import Store, tables
from tribute.strict import parse_json

Rows = list[Row[Any]]


def tie_out(store: Store) -> list[str]:
    """What does not add up, a sentence each; empty where all does."""
    with store.reading() as connection:
        events, holds = _all(connection, tables.event), _all(connection, tables.hold)
        accounts, keys = _all(connection, tables.account), _all(connection, tables.key)
        records, topups = _all(connection, tables.record), _all(connection, tables.topup)
        instances = {row.name: row for row in _all(connection, tables.instance)}
    return [
        *_payers(accounts, events, holds, topups),
        *_keys(keys, events, holds),
        *_receipts(events, records),
        *_chains(instances, records),
    ]


def _all(connection: Connection, table: Table) -> Rows:
    return list(connection.execute(select(table)))


def _payers(accounts: Rows, events: Rows, holds: Rows, topups: Rows) -> Iterator[str]:
    """A payer's spent money is that of the live events, the held that of the live holds, the credit the top-ups'."""
    spent, held, credit = Counter[str](), Counter[str](), Counter[str]()
    for event in events:
        spent[event.subject] += 0 if event.test else event.micro
    for hold in holds:
        held[hold.payer] += 0 if hold.test or hold.covered else hold.micro
    for topup in topups:
        credit[topup.account] += topup.micro
    for row in accounts:
        expected = (spent[row.id], held[row.id], credit[row.id])
        if (row.spent, row.held, row.credit) != expected:
            yield f"payer {row.id}: spent, held, credit are {(row.spent, row.held, row.credit)}, expected {expected}"


def _keys(keys: Rows, events: Rows, holds: Rows) -> Iterator[str]:
    """A key holds what the holds below it hold, and without a window spent what the calls below it cost."""
    spent, held = Counter[str](), Counter[str]()
    for event in events:
        for key in event.path.split("/"):
            spent[key] += event.micro if event.corrects is None else 0
    for hold in holds:
        for key in hold.path.split("/")[hold.covered :]:
            held[key] += hold.micro
    for row in keys:
        if row.held != held[row.id] or (row.window == "total" and row.spent != spent[row.id]):
            expected = (spent[row.id], held[row.id])
            yield f"key {row.id}: spent, held are {(row.spent, row.held)}, expected {expected}"
        if row.held + row.spent > row.budget:
            yield f"key {row.id}: {row.held + row.spent} held and spent exceed its budget of {row.budget}"


def _receipts(events: Rows, records: Rows) -> Iterator[str]:
    """Every event has its receipt, and every receipt its event, with the same amount in the same month."""
    of_events = {event.receipt: (event.month, event.id, event.micro, event.currency) for event in events}
    of_receipts = {}
    for record in records:
        if record.kind == RECEIPT:
            body = parse_json(record.payload)
            price = body["price"]
            of_receipts[record.id] = (record.month, body["event"]["id"], price["micro"], price["currency"])
    for receipt in sorted(of_events.keys() | of_receipts.keys()):
        if of_events.get(receipt) != of_receipts.get(receipt):
            yield f"{receipt}: its event says {of_events.get(receipt)}, the receipt {of_receipts.get(receipt)}"


def _chains(instances: dict[str, Row[Any]], records: Rows) -> Iterator[str]:
    """The records of an instance are numbered from 1, and each names the one before."""
    chains = defaultdict(list)
    for record in sorted(records, key=lambda record: record.number):
        chains[record.instance].append(record)
    for name, row in instances.items():
        head = Chain.genesis
        for number, record in enumerate(chains[name], start=1):
            body = parse_json(record.payload)
            if (record.number, body["number"], body["previous"]) != (number, number, head):
                yield f"record {record.number} of {name} does not follow on number {number - 1}"
            head = sha256(record.payload).hexdigest()
        if (row.number, row.head) != (len(chains[name]), head):
            yield f"{name}: its head is number {row.number}, its last record {len(chains[name])}"
