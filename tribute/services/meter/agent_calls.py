"""An agent's call: opened with the most that it may cost, filled with the calls that the agent makes, and ended.

It costs what the calls within it cost and the agent's margin on them, and keeps the margin; each call within keeps its
price less the prices of the calls within it. So what the nodes of the tree keep adds up to what the root cost, to the
unit. An agent's call that is not ended in time keeps nothing; what was answered within it stays charged.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Row, select

from tribute.digests import canonical
from tribute.errors import ServiceError
from tribute.services.accounts import MOST, Key, read_agent
from tribute.services.meter.calls import NEVER, Answer, Call, Hold, Settlement
from tribute.services.meter.meter import Meter
from tribute.services.meter.nested import hold_of
from tribute.services.receipts import ServedModel, Trace
from tribute.services.store import as_text, parse_time, tables

LONGEST = timedelta(hours=1)
PREFIX = "agent:"
"""Before an agent's id, where events and receipts name a model."""


@dataclass(frozen=True)
class Opening:
    """A request for an agent's call: the most that it may cost in 10⁻⁶ of the currency's unit."""

    micro: int
    request: bytes
    idempotency_key: str | None = None
    trace: Trace | None = None
    parent: str | None = None


def open_call(meter: Meter, key: Key, opening: Opening) -> Hold | Settlement:
    """Hold for a call of the key's agent, or the settlement of the call that this one repeats.

    Raises ServiceError as `Meter.hold`, 403 where the key is no agent's, 422 for an amount that cannot be.
    """
    if key.agent is None:
        raise ServiceError(f"key {key.id} is no agent's; issue one for an agent", 403)
    if not 0 < opening.micro <= MOST:
        raise ServiceError(f"found {opening.micro} as the most to be spent, expected 1 to {MOST}", 422)
    with meter.store.reading() as connection:
        agent = read_agent(connection, key.agent)
    call = _call(agent.id, opening.micro, opening.idempotency_key, opening.trace, opening.parent)
    hold = Hold(
        id=f"call-{secrets.token_hex(12)}",
        key=key,
        call=call,
        micro=opening.micro,
        price_version=meter.prices.current().version,
        expires=as_text(parse_time(meter.store.now()) + LONGEST),
        fingerprint=meter.texts.fingerprint(opening.request),
        margin=agent.margin,
    )
    return meter.take(hold)


def end_call(meter: Meter, key: Key, receipt: str, content: bytes) -> Settlement:
    """End an agent's call with its answer, by the key that opened it: its settlement; ended again, the same.

    Raises ServiceError: 404 where the key opened no such call, 409 while calls within it are in flight, or where it
    was ended with another answer.
    """
    with meter.store.reading() as connection:
        mine = (tables.hold.c.id == hold_of(receipt)) & (tables.hold.c.path == "/".join(key.path))
        opened = select(tables.hold).where(mine, tables.hold.c.margin.is_not(None))
        row = connection.execute(opened).one_or_none() if receipt.isprintable() else None
    if row is None:
        return meter.ended(key, receipt, content)
    return meter.settle(_hold(row, key), Answer(content, 0, 0, explain=NEVER))


def _hold(row: Row[tuple[object, ...]], key: Key) -> Hold:
    """An agent's hold, as it was opened, from its row."""
    trace = Trace(*row.trace.split("-")) if row.trace else None
    parent = row.parent and row.parent.replace("call", "receipt", 1)
    call = _call(str(key.agent), row.micro + row.used, row.idempotency_key, trace, parent)
    fixed = {name: getattr(row, name) for name in ("id", "micro", "price_version", "expires", "fingerprint", "margin")}
    return Hold(key=key, call=call, covered=row.covered, **fixed)


def _call(agent: str, micro: int, name: str | None, trace: Trace | None, parent: str | None) -> Call:
    """What is recorded of an agent's call: its request has the agent and the amount, and no text."""
    model = ServedModel(f"{PREFIX}{agent}", "", "", "agent")
    return Call(model, canonical({"agent": agent, "micro": micro}), 0, 0, name, trace, parent)
