"""Where the milliseconds of a served call go: its parts on the clock and on the processor, metered and not."""

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import uvicorn

from lib.metered_calls import free_port
from lib.stub_server import SECRET, stub_services
from tribute.server import app
from tribute.services.accounts import Keys
from tribute.services.meter import Meter, Texts
from tribute.services.prices import Prices
from tribute.services.receipts import Chain, SigningProcess
from tribute.services.store import Store

RATE, REQUESTS = 40, 200
PARTS: dict[str, tuple[Any, str]] = {
    "read and check the body": (app, "parse_body"),
    "recognise the key": (Keys, "recognise"),
    "hold": (Meter, "hold"),
    "· of it the current price list": (Prices, "current"),
    "settle": (Meter, "settle"),
    "· of it the next place of the chain": (Chain, "next"),
    "· of it the receipt, signed by another process": (Chain, "append"),
    "· · of it the signature": (SigningProcess, "sign"),
    "· of it the encrypted texts": (Texts, "keep"),
    "· of it the disk's sync": (Store, "_sync"),
}
"""A part in words → the function that does it."""
Spent = dict[str, list[tuple[float, float]]]
"""Part → seconds on the clock and of its thread's processor, of every time."""


def parts_table(folder: Path) -> str:
    """The parts of a metered call, and the processor's time of a whole request beside one that is not metered."""
    spent: Spent = defaultdict(list)
    whole = {kind: _asked(folder / kind, kind, spent) for kind in ("free", "metered")}
    lines = ["| | median, clock | mean, processor |", "|---|---|---|"]
    for name, (clock, cpu) in whole.items():
        lines.append(f"| whole request, {name} | {clock:.2f} ms | {cpu:.2f} ms |")
    for name in PARTS:
        clocks, cpus = zip(*spent[name], strict=True)
        lines.append(f"| {name} | {median(clocks) * 1e3:.2f} ms | {sum(cpus) / len(cpus) * 1e3:.2f} ms |")
    return "\n".join(lines)


def _asked(folder: Path, kind: str, spent: Spent) -> tuple[float, float]:
    """Milliseconds of a request: median on the client's clock, and mean of this process's processor time."""
    folder.mkdir()
    with stub_services(folder, metered=kind == "metered") as services, _timed(spent if kind == "metered" else {}):
        port = free_port()
        config = uvicorn.Config(app.create_app(services), host="127.0.0.1", port=port, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        secret = (folder / SECRET).read_text()
        _client(port, secret, REQUESTS // 4)
        spent.clear()
        before = time.process_time()
        clock = _client(port, secret, REQUESTS)
        cpu = (time.process_time() - before) / REQUESTS * 1e3
        server.should_exit = True
        thread.join()
    return clock, cpu


def _client(port: int, secret: str, count: int) -> float:
    """Ask from another process: the median in milliseconds."""
    code = "from lib.http_load import main; main()"
    command = [sys.executable, "-c", code, str(port), secret, str(RATE), str(count)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


@contextmanager
def _timed(spent: Spent) -> Iterator[None]:
    """Time the parts; with nowhere to note it, nothing."""
    patches = (
        [patch.object(owner, name, _timing(getattr(owner, name), part, spent)) for part, (owner, name) in PARTS.items()]
        if isinstance(spent, defaultdict)
        else []
    )
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def _timing(work: Callable[..., Any], part: str, spent: Spent) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        clock, cpu = time.perf_counter(), time.thread_time()
        try:
            return work(*arguments, **named)
        finally:
            spent[part].append((time.perf_counter() - clock, time.thread_time() - cpu))

    return timed
