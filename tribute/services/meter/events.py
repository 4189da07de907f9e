"""What is recorded of a call: its event, by CloudEvents' names, and the fields of its receipt."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Text, bindparam, select

from tribute.services.meter.calls import NEVER, Answer, Hold
from tribute.services.meter.nested import Within
from tribute.services.receipts import Place, salted
from tribute.services.store import tables

_account, _agent = tables.account.c, tables.account.alias().c
# Built once, see accounts/spending.py: whether a payer is affiliated, and who owns the agent.
_RELATION = select(
    _account.affiliated,
    select(_agent.owner).where(_agent.id == bindparam("_agent", type_=Text)).scalar_subquery(),
).where(_account.id == bindparam("_payer", type_=Text))
_ADD = tables.event.insert()

CALL, AGENT_CALL, CORRECTION = "tribute.call", "tribute.agent-call", "tribute.correction"
"""The types of events."""
PENDING = "pending"
"""What a receipt says of training until an addendum completes it; NEVER where the payer forbids to explain."""


def call_event(source: str, hold: Hold, answer: Answer, micro: int, currency: str) -> dict[str, Any]:
    """The event of a settled call, as far as the call determines it: without time, month and affiliation."""
    return {
        "source": source,
        "id": hold.id,
        "type": CALL if hold.margin is None else AGENT_CALL,
        "subject": hold.key.payer,
        "agent": hold.key.agent,
        "path": "/".join(hold.key.path),
        "model": hold.call.model.name,
        "artifact": hold.call.model.artifact,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "price_version": hold.price_version,
        "currency": currency,
        "micro": micro,
        "test": hold.key.test,
        "complete": answer.complete,
        "explain": answer.explain,
        "idempotency_key": hold.call.idempotency_key,
        "fingerprint": hold.fingerprint,
        "corrects": None,
        "parent": hold.call.parent,
        "receipt": hold.receipt,
    }


def call_receipt(event: dict[str, Any], hold: Hold, answer: Answer, salt: bytes, inner: Within) -> dict[str, Any]:
    """The fields of a call's receipt but for the payer's pseudonym and its place in the chain."""
    return {
        **common_fields(event, inner.micro),
        "model": asdict(hold.call.model),
        "request_sha256": salted(salt, hold.call.request),
        "answer_sha256": salted(salt, answer.content),
        "complete": answer.complete,
        "trace": asdict(hold.call.trace) if hold.call.trace else None,
        "children": list(inner.children),
        "retrieved": [dict(row) for row in answer.retrieved],
        "training": NEVER if answer.explain == NEVER else PENDING,
        "policy": answer.policy,
    }


def common_fields(event: dict[str, Any], within: int = 0) -> dict[str, Any]:
    """What receipts of calls and of corrections say alike; `within` is what the calls within an agent's cost."""
    price = {"version": event["price_version"], "currency": event["currency"], "micro": event["micro"]}
    return {
        "event": {"source": event["source"], "id": event["id"], "type": event["type"]},
        "agent": event["agent"],
        "tokens": {"input": event["input_tokens"], "output": event["output_tokens"]},
        "price": price | {"total": event["micro"] + within},
        "test": event["test"],
        "corrects": event["corrects"],
        "parent": event["parent"],
    }


def add_event(connection: Connection, event: dict[str, Any], place: Place) -> None:
    """Record an event in the open month. A call is affiliated where its payer is now, or owns the agent."""
    values = {"affiliated": None, **event, "time": place.time, "month": place.month}
    if values["affiliated"] is None:
        payer = event["subject"]
        [(affiliated, owner)] = connection.execute(_RELATION, {"_payer": payer, "_agent": event["agent"]})
        values["affiliated"] = affiliated or owner == payer
    connection.execute(_ADD, values)
