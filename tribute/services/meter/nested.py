"""Holds within holds: what an agent's call may still spend on the calls that it makes. Knows nothing of prices.

A call within an agent's call reserves nothing on the payer and on the keys that the agent's hold reserves already: it
takes from that hold. What it cost moves out of every hold above it, so the sum of all charges below a root call is
what its payer paid.
"""

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, select, update

from tribute.errors import ServiceError
from tribute.services.accounts import MILLION, Key, check_path
from tribute.services.receipts import RECEIPT
from tribute.services.store import tables

_hold = tables.hold.c


@dataclass(frozen=True)
class Parent:
    """The agent's call that covers another: its hold's id, how many keys of a path it reserves, and until when."""

    id: str
    covered: int
    expires: str


@dataclass(frozen=True)
class Within:
    """What the calls within an agent's call cost together, and the digests of their receipts in order."""

    micro: int = 0
    children: tuple[str, ...] = ()


def hold_of(receipt: str) -> str:
    """The id of the hold whose call will have this receipt."""
    return receipt.replace("receipt", "call", 1)


def room_for(micro: int, margin: int) -> int:
    """The most that the calls within may cost together, so that they and the margin on them are at most `micro`."""
    return micro * MILLION // (MILLION + margin)


def parent_of(connection: Connection, key: Key, receipt: str, now: str) -> Parent:
    """The agent's call in flight that will have this receipt.

    Raises ServiceError: 404 where there is none, 403 where the key is not the one that opened it, nor below it.
    """
    stored = select(tables.hold).where(_hold.id == hold_of(receipt), _hold.margin.is_not(None), _hold.expires > now)
    row = connection.execute(stored).one_or_none() if receipt.isprintable() else None
    if row is None:
        raise ServiceError(f"no agent's call {receipt[:80]!r} is in flight; open one first", 404)
    path = tuple(row.path.split("/"))
    if key.path[: len(path)] != path:
        raise ServiceError(f"{receipt} was opened with another key; call with that key or a sub-key of it", 403)
    return Parent(row.id, len(path), row.expires)


def take(connection: Connection, parent: Parent, path: tuple[str, ...], micro: int, now: str) -> None:
    """Take an amount from what a parent has left.

    Raises ServiceError: 401 where a key of the path is revoked or ended, 402 where less is left.
    """
    check_path(connection, path, now)
    enough = _hold.used + _hold.taken + micro <= _hold.room
    taken = update(tables.hold).where(_hold.id == parent.id, _hold.expires > now, enough)
    if not connection.execute(taken.values(taken=_hold.taken + micro)).rowcount:
        raise ServiceError(
            f"this call may cost {micro}, more than is left of the agent's call; open one with more", 402
        )


def give_back(connection: Connection, parent: str | None, micro: int) -> None:
    """Give back what a call that was not answered took from its parent."""
    if parent is not None:
        connection.execute(update(tables.hold).where(_hold.id == parent).values(taken=_hold.taken - micro))


def pay_from(connection: Connection, parent: str | None, taken: int, micro: int) -> None:
    """Move what a call cost out of the holds above it; it had taken `taken` from its parent."""
    while parent is not None:
        paid = {"micro": _hold.micro - micro, "taken": _hold.taken - taken, "used": _hold.used + micro}
        moved = update(tables.hold).where(_hold.id == parent).values(paid).returning(_hold.parent)
        # A parent's own hold shrinks by what was paid, and so does what it took from its parent.
        parent, taken = connection.execute(moved).scalar_one(), micro


def within(connection: Connection, receipt: str, used: int) -> Within:
    """The calls within an agent's call, which cost `used`."""
    both = tables.event.c.receipt == tables.record.c.receipt
    inner = select(tables.record.c.payload).join(tables.event, both)
    calls = (tables.event.c.parent == receipt) & tables.event.c.corrects.is_(None)
    rows = inner.where(calls, tables.record.c.kind == RECEIPT)
    ordered = connection.execute(rows.order_by(tables.record.c.instance, tables.record.c.number))
    return Within(used, tuple(sha256(payload).hexdigest() for payload in ordered.scalars()))
