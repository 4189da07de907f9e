"""What metering costs: hold, settlement and receipt per call, and a month's receipts sealed and verified.

    python benchmarks/services.py                      # 2,000 calls and 100,000 receipts; writes the page
    python benchmarks/services.py --receipts 1000000   # the size that is asked for

Calls go through the library with a model that answers at once, one by one and from eight threads, by a root key and
by a sub-key three levels down, on SQLite with `synchronous=FULL`. Receipts are written many per transaction, by the
functions that the meter uses. Writes docs/benchmarks/services.md.
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tribute.keys import public_half
from tribute.rewards.allocation.answers import payer_rows
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.payers import PayerDivision
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.usage.queries import QueryCredits
from tribute.rewards.usage.sealed_usage import SealedUsage
from tribute.services.accounts import Accounts, Key, Keys, Limits
from tribute.services.meter import (
    STEPS,
    Answer,
    Call,
    Figures,
    Hold,
    Meter,
    Texts,
    Training,
    append_addendum,
    masked,
    nats,
    tie_out,
)
from tribute.services.meter.events import add_event, call_event, call_receipt
from tribute.services.meter.nested import Within
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.receipts import RECEIPT, Certificate, ServedModel, Signer, certify
from tribute.services.seal import Proofs, seal_month, verify_month
from tribute.services.store import Store, month_of

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "services.md"
REGISTRY, SERVING = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
MODEL = ServedModel("docs@0123456789abcdef", "a" * 64, "b" * 64, "pass")
EVER = "2999-01-01T00:00:00.000000Z"
PLENTY = Limits(10**15, 10**15, EVER)
THREADS = 8
BATCH = 1000
CONTRIBUTORS = ("ada", "bob", "cyd", "dan")
"""Whom each addendum names."""
ABOUT = """# What metering costs

Written by `python benchmarks/services.py` on {machine}, Python {python}; {load:.1f} other processes were running when
it began. Milliseconds and seconds on the clock, CPU seconds in brackets.

{calls} calls each, a model that answers at once, SQLite with `synchronous=FULL`. A call is a hold (one transaction)
and a settlement with event, signed receipt and encrypted answer (another); each ends with the disk's sync.

{table}

{receipts} receipts of one month, each with an addendum that names four contributors:

{sealed}

Asked for, for a million: seal within 60 s and 3 GB; hashes, leaves and totals within 60 s; every signature within
180 s on two cores. Memory is the most that was resident. Proof is one of all, tree included.
"""


def main() -> None:
    """Measure and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--receipts", type=int, default=100_000)
    given = options.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        with shop(Path(folder) / "calls.db") as (meter, keys):
            table = calls_table(meter, keys, given.calls)
            assert tie_out(meter.store) == []
        sealed = month_table(Path(folder), given.receipts)
    page = ABOUT.format(
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        python=platform.python_version(),
        load=load,
        calls=f"{given.calls:,}",
        table=table,
        receipts=f"{given.receipts:,}",
        sealed=sealed,
    )
    PAGE.write_text(page, encoding="utf-8")
    print(page)


@contextmanager
def shop(path: Path) -> Iterator[tuple[Meter, Keys]]:
    """A meter on a new SQLite file, with a payer that has plenty."""
    public = [public_half(REGISTRY)]
    certificate = Certificate(public_half(SERVING), "server", "2000-01-01T00:00:00.000000Z", EVER)
    with Store.open(f"sqlite:///{path}", "server") as store:
        accounts, prices = Accounts(store), Prices(store, public)
        accounts.add_payer("acme", "EUR")
        accounts.top_up("acme", "entry", 10**15)
        models = {"docs": Price(request=100, input=2000, output=8000)}
        prices.publish(sign_prices(PriceList(version=1, currency="EUR", models=models), REGISTRY))
        signer = Signer(SERVING, certify(certificate, REGISTRY), public)
        yield Meter(store, prices, Texts(store, bytes(32)), signer), Keys(store)


def calls_table(meter: Meter, keys: Keys, count: int) -> str:
    """Holds, settlements and whole calls, as a table."""
    root = keys.issue("acme", PLENTY)[1]
    leaf = root
    for _ in range(3):
        leaf = keys.narrow(leaf, Limits(10**12, 10**12, EVER))[1]
    lines = ["| | per second | p50 | p99 |", "|---|---|---|---|"]
    for name, key in (("root key", root), ("sub-key, three levels down", leaf)):
        holds = [timed(lambda key=key: meter.hold(key, call())) for _ in range(count)]
        settled = [timed(lambda hold=hold: meter.settle(hold, ANSWER)) for _, hold in holds]
        lines += [row(f"hold, {name}", [time for time, _ in holds])]
        lines += [row(f"settle and receipt, {name}", [time for time, _ in settled])]
    for threads in (1, THREADS):
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            times = list(pool.map(lambda _: timed(lambda: whole(meter, root))[0], range(count)))
            lines += [row(f"whole call, {threads} thread{'s' * (threads > 1)}", times, time.perf_counter() - start)]
    return "\n".join(lines)


ANSWER = Answer(b"because " * 20, 100, 40)


def call() -> Call:
    """A call of a hundred tokens."""
    return Call(MODEL, b"why? " * 80, 100, 40)


def whole(meter: Meter, key: Key) -> None:
    """Hold and settle."""
    hold = meter.hold(key, call())
    assert isinstance(hold, Hold)
    meter.settle(hold, ANSWER)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds on the clock, and what came out."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def row(name: str, times: list[float], seconds: float | None = None) -> str:
    """A line of the table."""
    middle, high = np.percentile(times, [50, 99]) * 1000
    return f"| {name} | {len(times) / (seconds or sum(times)):,.0f} | {middle:.2f} ms | {high:.2f} ms |"


def month_table(folder: Path, count: int) -> str:
    """Seal, proof and verification of a month's receipts, as a table."""
    moment = time.time()
    with shop(folder / "month.db") as (meter, keys):
        fill(meter, keys.issue("acme", PLENTY)[1], count)
        written = time.time() - moment
        month = month_of(meter.store.now())
        # The month is over for the store alone.
        meter.store._latest = "2998-01-01T00:00:00.000000Z"
        steps = {f"write, {BATCH} per transaction ({written / count * 1e6:.0f} µs each)": (written, 0.0)}
        steps["seal"] = clocked(lambda: seal_month(meter.texts, month, folder))
    sealed, public = folder / month, [public_half(REGISTRY)]
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
    return "\n".join([*lines, "", f"Memory {memory:.2f} GB; the sealed folder has {size:.0f} MB."])


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
    """Settled and explained calls, without holds and texts, many per transaction."""
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
    figures = Figures("explained", STEPS, sum(own for own, _ in credits.values()))
    numbers = {"probability": nats(STEPS), "positive": nats(figures.positive)}
    training = Training({"status": figures.status, **numbers, "contributors": named}, figures, credits)
    for first in range(0, count, BATCH):
        with meter.store.writing() as connection:
            for number in range(first, min(first + BATCH, count)):
                place = meter.chain.next(connection)
                event = call_event(meter.source, hold, ANSWER, 620, "EUR")
                event |= {"id": f"call-{number:024x}", "receipt": f"receipt-{number:024x}", "body_sha256": "0" * 64}
                add_event(connection, event, place)
                body = call_receipt(event, hold, ANSWER, number.to_bytes(32), Within()) | {"payer": payer}
                meter.chain.append(connection, place, RECEIPT, event["receipt"], body)
                append_addendum(meter.chain, connection, event, training)


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of the CPUs, children included."""
    start, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def faultless(faults: list[str]) -> None:
    """Stop where something does not hold."""
    assert faults == [], faults[:3]


if __name__ == "__main__":
    main()
