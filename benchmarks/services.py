"""What serving and metering cost: per call, per receipt, per adapter, and whether the money is right in any case.

    python benchmarks/services.py                                # all parts that need no workspace
    python benchmarks/services.py server streams                 # only these
    python benchmarks/services.py month --receipts 1000000       # the size that is asked for
    python benchmarks/services.py throughput accuracy --workspace W --peers PYTHON

A part writes its own section of docs/benchmarks/services.md and leaves the others as they are, because the parts
together take longer than a machine stays idle. `throughput` and `accuracy` ask the classifier of a workspace that ran
`tribute run configs/docs.yaml --set finetuning.seeds=[0] --set attribution.validation=off --set rewards=null`; PYTHON
is one that has LitServe beside what Tribute needs.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lib import metered_calls, sealed_month, served_money
from lib.http_load import CONNECTIONS
from lib.pages import put_section

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "services.md"
HEAD = """# What serving and metering cost

Written by `python benchmarks/services.py`, each section by itself. Milliseconds and seconds on the clock.

"""
TITLES = {
    "server": "Metered beside not metered",
    "parts": "Where a call's milliseconds go",
    "calls": "Calls through the library",
    "adapters": "Many adapters",
    "throughput": "Texts a second",
    "accuracy": "Accuracy through the server",
    "budgets": "Budgets under calls at once",
    "streams": "Streams that break",
    "kills": "Servers that are killed",
    "month": "A month of receipts",
}
ABOUT = {
    "server": (
        "`/classify` with a model that answers at once, one process; the serving key signs in another, the client is "
        f"a third. Beside it the same server without key check, hold, settlement and receipt; in turn, "
        f"{metered_calls.ROUNDS} rounds of {metered_calls.REQUESTS} requests at {metered_calls.RATE} a second. SQLite, "
        "as durable as `synchronous=FULL`. Asked for: 2 ms more at the median, 10 ms more at the 99th percentile, on "
        "two cores."
    ),
    "parts": (
        "The server of the first section, in one process with what times it, asked 40 times a second by another. A "
        "part is timed with what it waits for; the processor's time is its thread's. What a request spends beside the "
        "parts is HTTP, the thread pool and the log. At one text a request all of it bounds the texts a second, too: "
        "the model's thread shares the interpreter."
    ),
    "calls": (
        "SQLite, as durable as `synchronous=FULL`. A call is a hold (one transaction, which waits for no disk) and a "
        "settlement with event, signed receipt and encrypted answer (another, which ends with its sync)."
    ),
    "adapters": (
        "The demo's base, one thread, adapters of the demo's form with random weights; both sides in turn, medians. "
        "Asked for: a batch of 32 adapters within 1.1 × of a batch of one (last layer), and p99 among 256 resident "
        "adapters within 1.2 × of 8."
    ),
    "throughput": (
        f"The demo's classifier on its evaluation texts, one thread each for the model; {CONNECTIONS} "
        "connections that ask without a pause, the best of two rounds in turn. The bare loop has no server, and "
        "batches of 64. Tribute's server checks the key, holds, settles and signs a receipt for each request. Asked "
        "for: 0.9 of the loop, and more than the other servers."
    ),
    "accuracy": "Asked for: the same. Every evaluation row is asked over HTTP.",
    "budgets": "Asked for: the parent exceeded by 0 units. Over HTTP, the server of the first section.",
    "streams": "Asked for: the same price, to the unit, for the same tokens. Over HTTP, a model that writes words.",
    "kills": (
        "`kill -9` of the server at a random moment of its first 0.3 s; calls have Idempotency-Keys. Asked "
        "for: at most one charge for each key, always with a complete answer; what is not settled is free. "
        "`tests/services/meter/test_kills.py` kills a process that holds and settles, 20 times in `make test` and "
        "1,000 times with `make nightly`; `--seconds 1200` is about as many of the server."
    ),
    "month": (
        "Each receipt has an addendum that names four contributors. Asked for, for a million: seal and allocation "
        "within 60 s and 3 GB; hashes, leaves and totals within 60 s; every signature within 180 s on two cores. "
        "Memory is the most that was resident. Proof is one of all, tree included. CPU seconds in brackets."
    ),
}


def main() -> None:
    """Measure parts and write their sections."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(TITLES)}")
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--receipts", type=int, default=100_000)
    options.add_argument("--kept", type=Path, metavar="FOLDER", help="where a month stays that is written only once")
    options.add_argument("--seconds", type=float, default=60.0, help="for how long servers are killed")
    options.add_argument("--workspace", type=Path)
    options.add_argument("--peers", type=Path, metavar="PYTHON")
    given = options.parse_args()
    parts: dict[str, Callable[[Path], str]] = {
        "server": metered_calls.server_table,
        "parts": call_parts,
        "calls": lambda folder: f"{given.calls:,} calls each.\n\n{metered_calls.calls_table(folder, given.calls)}",
        "adapters": adapters,
        "budgets": served_money.budgets_table,
        "streams": served_money.streams_table,
        "kills": lambda folder: killed(folder, given.seconds),
        "month": lambda folder: month(given.kept or folder, given.receipts),
    }
    if given.workspace is not None:
        parts |= {
            "throughput": lambda folder: throughput(folder, given.workspace, given.peers),
            "accuracy": lambda _: accuracy(given.workspace),
        }
    if unknown := set(given.parts) - parts.keys():
        options.error(f"{min(unknown)} is no part, or needs --workspace; there are: {', '.join(TITLES)}")
    for name in given.parts or parts:
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            result = parts[name](Path(folder))
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        where = f"On {machine}; load {load:.1f} when it began."
        if not PAGE.exists():
            PAGE.write_text(HEAD, encoding="utf-8")
        put_section(PAGE, TITLES[name], f"{ABOUT[name]}\n\n{where}\n\n{result}", list(TITLES.values()))
        print(f"{name}: {where}\n{result}", flush=True)


# What imports torch is imported by whoever needs it: the processes that verify signatures import this module anew.
def adapters(folder: Path) -> str:
    """See lib/adapter_batches.py."""
    from lib.adapter_batches import adapters_table

    return adapters_table(folder)


def call_parts(folder: Path) -> str:
    """See lib/call_parts.py."""
    from lib.call_parts import parts_table

    return parts_table(folder)


def throughput(folder: Path, workspace: Path, peers: Path | None) -> str:
    """See lib/serving_peers.py."""
    from lib.serving_peers import throughput_table

    return throughput_table(folder, workspace, peers)


def accuracy(workspace: Path) -> str:
    """See lib/serving_peers.py."""
    from lib.serving_peers import accuracy_table

    return accuracy_table(workspace)


def month(folder: Path, receipts: int) -> str:
    """A month that is written where it is not yet, and measured."""
    if not (folder / sealed_month.ABOUT).exists():
        folder.mkdir(exist_ok=True)
        sealed_month.fill_month(folder, receipts)
    return sealed_month.month_table(folder)


def killed(folder: Path, seconds: float) -> str:
    """The part of the kills, in a process of its own whose forks are the servers."""
    command = [sys.executable, "-c", "from lib.served_money import main; main()", str(folder), str(seconds)]
    return subprocess.run(command, cwd=Path(__file__).parent, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
