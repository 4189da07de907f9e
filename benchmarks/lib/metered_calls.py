"""What metering adds to a call: through a server beside one that does not meter, and through the library."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.http_load import BODY, Target, steady
from lib.stub_server import EVER, MODEL, PLENTY, SECRET
from tribute.keys import public_half
from tribute.services.accounts import Accounts, Key, Keys, Limits
from tribute.services.meter import Answer, Call, Hold, Meter, Texts, tie_out
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.receipts import Certificate, Signer, certify
from tribute.services.store import Store

REGISTRY, SERVING = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
THREADS = 8
SETTLED = 40_000
"""Bytes that a settlement adds to SQLite's log, about."""
RATE, ROUNDS, REQUESTS = 100, 3, 500
"""Requests a second to a server, and how often how many."""
ANSWER = Answer(b"because " * 20, 100, 40)


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
    port = free_port()
    command = [sys.executable, "-c", "from lib.stub_server import main; main()", str(folder), str(port), kind]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL)
    try:
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Target(port, "/classify", (folder / SECRET).read_text(), BODY)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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
