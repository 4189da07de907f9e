"""What metering costs: hold, settlement and receipt per call, and a month's receipts sealed and verified.

    python benchmarks/services.py                      # 2,000 calls and 100,000 receipts; writes the page
    python benchmarks/services.py --receipts 1000000   # the size that is asked for
    python benchmarks/services.py --only server        # one of server, calls, month: prints it and writes nothing

Calls go to the server with a model that answers at once, metered and not, side by side; and through the library, one
by one and from eight threads, by a root key and by a sub-key three levels down, on SQLite with `synchronous=FULL`.
Receipts are written many per transaction, by the functions that the meter uses. Writes docs/benchmarks/services.md.
"""

import argparse
import os
import platform
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.http_load import Target, steady
from lib.stub_server import EVER, MODEL, PLENTY, SECRET
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
    masked,
    nats,
    tie_out,
)
from tribute.services.meter.events import call_event, call_receipt
from tribute.services.meter.nested import Within
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.receipts import ADDENDUM, RECEIPT, Certificate, Place, Signer, certify
from tribute.services.seal import Proofs, seal_month, verify_month
from tribute.services.store import Store, month_of, tables

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "services.md"
REGISTRY, SERVING = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
THREADS = 8
SETTLED = 40_000
"""Bytes that a settlement adds to SQLite's log, about."""
RATE, ROUNDS, REQUESTS = 100, 3, 500
"""Requests a second to a server, and how often how many."""
BATCH = 1000
CONTRIBUTORS = ("ada", "bob", "cyd", "dan")
"""Whom each addendum names."""
ABOUT = """# What metering costs

Written by `python benchmarks/services.py` on {machine}, Python {python}; {load:.1f} other processes were running when
it began. Milliseconds and seconds on the clock, CPU seconds in brackets.

The server (`/classify`, a model that answers at once, one process; the serving key signs in another, the client is a
third) beside the same server without key check, hold, settlement and receipt, in turn, {rounds} rounds of {requests}
requests at {rate} a second:

{server}

Asked for: 2 ms more at the median, 10 ms more at the 99th percentile, on two cores.

{calls} calls each through the library, SQLite with `synchronous=FULL`. A call is a hold (one transaction, which waits
for no disk) and a settlement with event, signed receipt and encrypted answer (another, which ends with its sync).

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
    options.add_argument("--only", choices=("server", "calls", "month"))
    given = options.parse_args()
    load = os.getloadavg()[0]
    parts = {
        "server": lambda folder: server_table(folder),
        "calls": lambda folder: calls_table(folder, given.calls),
        "month": lambda folder: month_table(folder, given.receipts),
    }
    with tempfile.TemporaryDirectory() as folder:
        if given.only:
            print(f"{load:.1f} other processes\n{parts[given.only](Path(folder))}")
            return
        server, table, sealed = (part(Path(folder)) for part in parts.values())
    page = ABOUT.format(
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        python=platform.python_version(),
        load=load,
        rounds=ROUNDS,
        requests=REQUESTS,
        rate=RATE,
        server=server,
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


def server_table(folder: Path) -> str:
    """Requests at a steady rate to a metered and an unmetered server, in turn."""
    times: dict[str, list[float]] = {"free": [], "metered": []}
    with ExitStack() as stack:
        targets = {kind: stack.enter_context(served(folder / kind, kind)) for kind in times}
        for target in targets.values():
            steady(target, RATE, REQUESTS // 2)
        for _ in range(ROUNDS):
            for kind, target in targets.items():
                times[kind] += steady(target, RATE, REQUESTS)
    lines = ["| | p50 | p99 |", "|---|---|---|"]
    both = {kind: np.percentile(values, [50, 99]) * 1000 for kind, values in times.items()}
    lines += [f"| {kind} | {middle:.2f} ms | {high:.2f} ms |" for kind, (middle, high) in both.items()]
    synced = np.percentile(syncs(folder, REQUESTS), [50, 99]) * 1000
    more, ratio = both["metered"] - both["free"], both["metered"] / both["free"]
    lines += [f"| more | {more[0]:.2f} ms, {ratio[0]:.1f}× | {more[1]:.2f} ms, {ratio[1]:.1f}× |"]
    return "\n".join([*lines, f"| a sync of this disk alone | {synced[0]:.2f} ms | {synced[1]:.2f} ms |"])


def syncs(folder: Path, count: int) -> list[float]:
    """Seconds of writing as many bytes as a settlement does, and of waiting for the disk."""
    with (folder / "synced").open("wb") as file:

        def write() -> None:
            file.write(bytes(SETTLED))
            file.flush()
            os.fsync(file.fileno())

        return [timed(write)[0] for _ in range(count)]


@contextmanager
def served(folder: Path, kind: str) -> Iterator[Target]:
    """A stub server as a process, and what it is asked."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from lib.stub_server import main; main()", str(folder), str(port), kind]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)
    try:
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Target(port, "/classify", (folder / SECRET).read_text(), b'{"model": "docs", "input": "why is it so"}')
    finally:
        process.terminate()
        process.wait()


def calls_table(folder: Path, count: int) -> str:
    """Holds, settlements and whole calls, as a table."""
    with shop(folder / "calls.db") as (meter, keys):
        table = _calls_table(meter, keys, count)
        assert tie_out(meter.store) == []
    return table


def _calls_table(meter: Meter, keys: Keys, count: int) -> str:
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


if __name__ == "__main__":
    main()
