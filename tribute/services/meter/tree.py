"""A tree of calls from its root's receipt: who paid, what each node keeps, and who moved each answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from tribute.errors import ServiceError
from tribute.services.meter.corrections import STEPS
from tribute.services.receipts import ADDENDUM, RECEIPT
from tribute.services.store import Store, tables
from tribute.strict import parse_json


@dataclass(frozen=True)
class CallNode:
    """A settled call. `kept` is its price less those of the calls within it; `total` is `kept` with all below."""

    receipt: str
    parent: str | None
    depth: int
    agent: str | None
    model: str
    kept: int
    retrieved: Sequence[Mapping[str, Any]]
    """What was retrieved, with credits, as the receipt says it."""
    training: Any
    """Who moved the answer, by the addendum; before it, what the receipt says."""
    credits: Mapping[str, float]
    """Contributor → credit for the training behind the answer, nats, the largest first; empty before the addendum."""
    children: "Sequence[CallNode]"

    @property
    def total(self) -> int:
        """What the call cost: the sum over its tree, in 10⁻⁶ of the currency's unit."""
        return self.kept + sum(child.total for child in self.children)


@dataclass(frozen=True)
class CallTree:
    """A root call with all below it; refunds are not deducted."""

    payer: str
    currency: str
    month: str
    root: CallNode

    def nodes(self) -> Iterator[CallNode]:
        """All calls, each before those within it."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


def call_tree(store: Store, receipt: str) -> CallTree:
    """The tree below a settled call. Raises ServiceError 404 where there is no such receipt."""
    with store.reading() as connection:
        row = _event(connection, tables.event.c.receipt == receipt)[:1]
        if not row:
            raise ServiceError(f"receipt {receipt!r} is unknown, or its call is not ended", 404)
        return CallTree(row[0].subject, row[0].currency, row[0].month, _node(connection, row[0], 0))


def _event(connection: Connection, which: Any) -> list[Row[Any]]:
    """Calls, no corrections, in the order of their receipts."""
    both = tables.record.c.id == tables.event.c.receipt
    chosen = select(tables.event, tables.record.c.payload).join(tables.record, both)
    calls = chosen.where(which, tables.event.c.corrects.is_(None), tables.record.c.kind == RECEIPT)
    return list(connection.execute(calls.order_by(tables.record.c.instance, tables.record.c.number)))


def _node(connection: Connection, row: Row[Any], depth: int) -> CallNode:
    body = parse_json(row.payload)
    added = (tables.record.c.receipt == row.receipt) & (tables.record.c.kind == ADDENDUM)
    addendum = connection.execute(select(tables.record.c.payload).where(added)).scalar()
    children = _event(connection, tables.event.c.parent == row.receipt)
    return CallNode(
        receipt=row.receipt,
        parent=row.parent,
        depth=depth,
        agent=row.agent,
        model=row.model,
        kept=row.micro,
        retrieved=body["retrieved"],
        training=body["training"] if addendum is None else parse_json(addendum)["training"],
        credits=_credits(connection, row.receipt),
        children=[_node(connection, child, depth + 1) for child in children],
    )


def _credits(connection: Connection, receipt: str) -> dict[str, float]:
    """Addenda themselves name contributors by pseudonyms."""
    row = tables.credit.c
    named = select(row.contributor, row.signed).where(row.receipt == receipt)
    ordered = connection.execute(named.order_by(row.signed.desc(), row.contributor))
    return {line.contributor: line.signed / STEPS for line in ordered}
