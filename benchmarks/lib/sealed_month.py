"""A month of many receipts: sealed, divided among contributors, and verified."""

import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.metered_calls import ANSWER, REGISTRY, call, shop
from lib.stub_server import EVER, PLENTY
from tribute.keys import public_half
from tribute.rewards.allocation.answers import payer_rows
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.payers import PayerDivision
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.usage.queries import QueryCredits
from tribute.rewards.usage.sealed_usage import SealedUsage
from tribute.services.accounts import Key
from tribute.services.meter import STEPS, Figures, Hold, Meter, Texts, Training, masked, nats
from tribute.services.meter.events import call_event, call_receipt
from tribute.services.meter.nested import Within
from tribute.services.receipts import ADDENDUM, RECEIPT, Place
from tribute.services.seal import Proofs, seal_month, verify_month
from tribute.services.store import Store, month_of, tables

BATCH = 1000
STORE, ABOUT = "month.db", "month.json"
"""The store of a month, and how it was filled."""
CONTRIBUTORS = ("ada", "bob", "cyd", "dan")
"""Whom each addendum names."""


def fill_month(folder: Path, count: int) -> None:
    """A usage store with that many receipts of the present month, and beside it what measuring has to know."""
    start, before = time.perf_counter(), os.times()
    with shop(folder / STORE) as (meter, keys):
        fill(meter, keys.issue("acme", PLENTY)[1], count)
        month = month_of(meter.store.now())
    after = os.times()
    took = (time.perf_counter() - start, sum(after[:2]) - sum(before[:2]))
    about = {"count": count, "month": month, "took": took, "registry": public_half(REGISTRY)}
    (folder / ABOUT).write_text(json.dumps(about))


def month_table(folder: Path) -> str:
    """Seal, proof and verification of the receipts that `fill_month` wrote, as a table."""
    about = json.loads((folder / ABOUT).read_text())
    count, month, public = about["count"], about["month"], [about["registry"]]
    sealed = folder / month
    shutil.rmtree(sealed, ignore_errors=True)
    steps = {f"write, {BATCH} per transaction ({about['took'][0] / count * 1e6:.0f} µs each)": tuple(about["took"])}
    with Store.attach(f"sqlite:///{folder / STORE}") as store:
        # The month is over for the store alone.
        store._latest = "2998-01-01T00:00:00.000000Z"
        steps["seal"] = clocked(lambda: seal_month(Texts(store, bytes(32)), month, folder))
    steps["divide the payers' money by their answers"] = clocked(lambda: divided(sealed))
    steps["proof"] = clocked(lambda: Proofs(sealed)(""))
    steps["verify hashes, leaves, chain, totals"] = clocked(
        lambda: faultless(verify_month(sealed, public, signatures=False))
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    steps["the same and every signature, two processes"] = clocked(
        lambda: faultless(verify_month(sealed, public, processes=2))
    )
    lines = ["| | seconds | per million |", "|---|---|---|"]
    lines += [f"| {name} | {took:.1f} ({cpu:.1f}) | {took / count * 1e6:.0f} |" for name, (took, cpu) in steps.items()]
    size = sum(path.stat().st_size for path in sealed.iterdir()) / 2**20
    return "\n".join(
        [f"{count:,} receipts.", "", *lines, "", f"Memory {memory:.2f} GB; the sealed folder has {size:.0f} MB."]
    )


def divided(sealed: Path) -> None:
    """To whom the month's money goes, as rewards divides it."""
    usage = SealedUsage(sealed, "docs")
    payers = usage.funds()["EUR"]
    funding = Funding("EUR", sum(payers.values()), 0, 0, 0, {}, payers)
    claims = [ContributorScore(name, Decimal(1), Decimal(0), 1, 1, 0, Decimal(1), 1, 1) for name in CONTRIBUTORS]
    evaluation = QueryCredits({}, {(name, "all"): STEPS for name in CONTRIBUTORS}, {}, {})
    division = PayerDivision("answers", Fraction(1), usage.period, claims, "content")
    assert payer_rows(usage, division, funding, evaluation, Fraction("0.05"))


def fill(meter: Meter, key: Key, count: int) -> None:
    """Settled and explained calls, without holds and texts, as the store has them, many per transaction."""
    hold, payer, mask = (
        Hold("", key, call(), 0, 1, EVER, "f" * 64),
        meter.texts.pseudonym("acme"),
        meter.texts.mask("acme"),
    )
    credits = {name: (10**9 * place, 10**9 * place) for place, name in enumerate(CONTRIBUTORS, start=1)}
    named = [
        {"contributor": masked(mask, name), "credit": nats(own), "absolute": nats(size)}
        for name, (own, size) in credits.items()
    ]
    figures = Figures("explained", STEPS, sum(own for own, _ in credits.values()), STEPS)
    numbers = {"probability": nats(STEPS), "positive": nats(figures.positive), "part": nats(STEPS)}
    training = Training({"status": figures.status, **numbers, "contributors": named}, figures, credits)
    place = Place(0, "0" * 64, meter.store.now(), month_of(meter.store.now()))
    for first in range(0, count, BATCH):
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("event", "record", "explanation", "credit")}
        for number in range(first, min(first + BATCH, count)):
            receipt = f"receipt-{number:024x}"
            event = call_event(meter.source, hold, ANSWER, 620, "EUR")
            event |= {"id": f"call-{number:024x}", "receipt": receipt, "body_sha256": "0" * 64}
            body = call_receipt(event, hold, ANSWER, number.to_bytes(32), Within()) | {"payer": payer}
            rows["event"].append(event | {"time": place.time, "month": place.month, "affiliated": False})
            for kind, content in ((RECEIPT, body), (ADDENDUM, {"receipt": receipt, "training": dict(training.field)})):
                place = replace(place, number=place.number + 1)
                record = meter.chain.signed(place, kind, receipt, content)
                place = replace(place, previous=sha256(record["payload"]).hexdigest())
                rows["record"].append(record)
            rows["explanation"].append({"receipt": receipt, **figures._asdict()})
            about = {"receipt": receipt, "month": place.month}
            rows["credit"] += [
                about | {"contributor": name, "signed": own, "absolute": size} for name, (own, size) in credits.items()
            ]
        with meter.store.writing() as connection:
            for name, new in rows.items():
                connection.execute(tables.metadata.tables[name].insert(), new)


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of the CPUs, children included."""
    start, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def faultless(faults: list[str]) -> None:
    """Stop where something does not hold."""
    assert faults == [], faults[:3]
