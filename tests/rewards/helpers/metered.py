"""A sealed month of usage as the services column seals it, made of answers that a test names.

Why it is adequate: rewards reads nothing but these files; that the services column writes such files is tested there
and by tests/test_usage.py, which goes from calls to money.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.digests import file_sha256
from tribute.files import write_json
from tribute.services.meter.events import AGENT_CALL, CALL
from tribute.services.seal.funding import owed
from tribute.services.seal.seal import CREDITS_SCHEMA, SEAL, USAGE_SCHEMA
from tribute.services.seal.totals import Totals

STEPS = 10**12


@dataclass(frozen=True)
class Answer:
    """A paid answer: contributor → credit in 10⁻¹² nats."""

    payer: str
    micro: int
    credits: dict[str, int] = field(default_factory=dict)
    status: str | None = "explained"
    probability: int = STEPS
    affiliated: bool = False
    refund: int = 0
    part: int = STEPS
    """What of its gain is explained, in 10⁻¹²."""
    currency: str = "EUR"
    agent: str | None = None
    owner: str = "payer-maker"
    """Who owns the agent."""
    model: str = "docs@0123456789abcdef"
    test: bool = False


def sealed(folder: Path, answers: Iterable[Answer], month: str = "2026-11") -> Path:
    """Write the month's folder."""
    folder = folder / month
    folder.mkdir(parents=True)
    events, credits, answers = [], [], list(answers)
    for number, answer in enumerate(answers):
        receipt = f"receipt-{month}-{number:06}"
        call = _event(answer, receipt, answer.micro) | {
            "status": answer.status,
            "probability": None if answer.status is None else answer.probability,
            "part": None if answer.status is None else answer.part,
            "positive": None if answer.status is None else sum(own for own in answer.credits.values() if own > 0),
        }
        events.append(call)
        if answer.refund:
            events.append(_event(answer, f"{receipt}-refund", -answer.refund) | {"corrects": receipt})
        credits += [
            {"receipt": receipt, "contributor": name, "signed": own, "absolute": abs(own)}
            for name, own in sorted(answer.credits.items())
        ]
    table = pa.Table.from_pylist(events, USAGE_SCHEMA)
    pq.write_table(table, folder / "usage.parquet")
    pq.write_table(pa.Table.from_pylist(credits, CREDITS_SCHEMA), folder / "credits.parquet")
    totals = Totals()
    totals.add(table.to_pydict())
    seal = {
        "month": month,
        "root": "0" * 64,
        "size": len(events),
        "totals": totals.document(),
        **owed(totals.document(), None),
        "owners": {answer.agent: answer.owner for answer in answers if answer.agent},
        "previous": "",
        "files": {name: file_sha256(folder / name) for name in ("usage.parquet", "credits.parquet")},
    }
    write_json(folder / SEAL, seal, sort_keys=True)
    return folder


def _event(answer: Answer, receipt: str, micro: int) -> dict:
    return {
        "source": "urn:tribute:server",
        "id": receipt,
        "type": AGENT_CALL if answer.model.startswith("agent:") else CALL,
        "time": "2026-11-29T12:00:00.000000Z",
        "payer": answer.payer,
        "agent": answer.agent,
        "model": answer.model,
        "artifact": "a" * 64,
        "currency": answer.currency,
        "corrects": None,
        "receipt": receipt,
        "input_tokens": 1,
        "output_tokens": 1,
        "price_version": 1,
        "micro": micro,
        "test": answer.test,
        "affiliated": answer.affiliated,
        "complete": True,
        "explain": "later",
    }
