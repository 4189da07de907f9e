"""What a served call costs when many come at once, when a stream breaks, and when the server is killed."""

import http.client
import json
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lib.metered_calls import served
from lib.stub_server import SECRET, serve, stub_services
from tribute.dsse import Envelope
from tribute.services.accounts import Accounts
from tribute.services.meter import tie_out

AT_ONCE, ROUNDS, FIT = 64, 10, 20
STREAMS = 40
COST = 108
"""Of a call of the classifier: 100 for the request, and 2 per token for its 4 words."""
CLIENTS = 4
Answered = tuple[int, dict[str, str], bytes]
"""Status, headers in lower case, body."""


def budgets_table(folder: Path) -> str:
    """Calls at once through sibling sub-keys of a parent that has room for fewer."""
    passed = most = 0
    with served(folder / "budgets", "metered") as target:
        budget = COST * FIT + COST - 1
        for _ in range(ROUNDS):
            limits = {"budget": budget, "call_cap": budget}
            parent = _json(ask(target.port, "/v1/keys", target.secret, limits))["secret"]
            siblings = [_json(ask(target.port, "/v1/keys", parent, limits))["secret"] for _ in range(AT_ONCE)]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                answers = list(pool.map(lambda key: classify(target.port, key), siblings))
            assert {status for status, _, _ in answers} <= {200, 402, 429}
            spent = budget - _json(ask(target.port, "/v1/budget", parent))["remaining"]
            assert spent == COST * sum(status == 200 for status, _, _ in answers)
            passed, most = max(passed, spent - budget), max(most, spent // COST)
    return (
        f"{ROUNDS} rounds of {AT_ONCE} calls at once, each through a sub-key of its own, of a parent with room for "
        f"{FIT}: at most {most} were answered, the budget was exceeded by {max(passed, 0)} units."
    )


def streams_table(folder: Path) -> str:
    """The same answers whole, streamed, and left in the middle."""
    chance, equal, left = random.Random(0), 0, 0
    with served(folder / "streams", "metered") as target:
        for number in range(STREAMS):
            prompt, most = f"question {number} of words", chance.randrange(1, 60)
            whole = ask(target.port, "/v1/chat/completions", target.secret, chat(prompt, most))
            receipt = _read(target.port, target.secret, chat(prompt, most, stream=True))
            equal += price(target.port, target.secret, receipt) == (most, int(whole[1]["tribute-cost"]))
            receipt = _read(target.port, target.secret, chat(prompt, 400, stream=True), events=most)
            written, micro = price(target.port, target.secret, receipt)
            assert written < 400
            whole = ask(target.port, "/v1/chat/completions", target.secret, chat(prompt, written))
            left += micro == int(whole[1]["tribute-cost"])
    return (
        f"{equal} of {STREAMS} streamed answers and {left} of {STREAMS} that the client left in the middle cost, "
        "to the unit, what the same tokens cost whole."
    )


def kills(folder: Path, seconds: float) -> str:
    """A server killed at random moments while four clients ask, each name until it is answered; see `main`."""
    chance, answered, lives, start = random.Random(0), dict[str, bytes](), 0, time.monotonic()
    with stub_services(folder, metered=True):
        secret = (folder / SECRET).read_text()
    while time.monotonic() - start < seconds:
        with living(folder) as (process, port):
            clients = [
                threading.Thread(target=_ask_on, args=(port, secret, f"{lives // 3}-{client}", answered))
                for client in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.0, 0.3))
            process.kill()
            process.join()
            for client in clients:
                client.join()
            lives += 1
    with living(folder) as (process, port):
        named = {name: answered.get(name) for name in _charged(folder)}
        again = {name: classify(port, secret, name) for name in {*named, *answered}}
        process.terminate()
        process.join()
    complete = sum(answer[0] == 200 and _json(answer)["data"][0]["label"] == "a" for answer in again.values())
    same = sum(again[name][2] == body for name, body in answered.items())
    with stub_services(folder, metered=True) as services:
        balance, faults = Accounts(services.store).balance("acme"), tie_out(services.store)
    assert not faults, faults
    assert balance.spent == COST * len(named)
    return (
        f"{lives} kills while {CLIENTS} clients asked: {len(named)} calls were charged, each once; "
        f"{len(answered)} answers reached a client, and {same} of them came back unchanged; {complete} of "
        f"{len(again)} names that were asked again have a complete answer; {balance.held} units are held; ledger, keys "
        "and receipts tie out."
    )


def main() -> None:
    """Kill servers in a folder for some seconds; a process of its own, so that a life starts by a fork."""
    print(kills(Path(sys.argv[1]), float(sys.argv[2])))


@contextmanager
def living(folder: Path) -> Iterator[tuple[Any, int]]:
    """A server in a fork of this process that takes connections."""
    port = random.randrange(20000, 60000)
    process = get_context("fork").Process(target=serve, args=(folder, port, "metered"))
    process.start()
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
            break
        except OSError:
            assert process.is_alive()
            time.sleep(0.01)
    try:
        yield process, port
    finally:
        process.kill()
        process.join()


def _ask_on(port: int, secret: str, prefix: str, answered: dict[str, bytes]) -> None:
    """Ask one call after the other until the server is gone; a repeated name has to have its first answer."""
    try:
        for number in range(1000):
            name = f"{prefix}-{number}"
            status, _, body = classify(port, secret, name)
            if status == 200:
                assert answered.setdefault(name, body) == body
    except (OSError, http.client.HTTPException):
        return


def _charged(folder: Path) -> set[str]:
    """The names of the calls that the store has charged."""
    with closing(sqlite3.connect(f"file:{folder}/usage.db?mode=ro", uri=True)) as store:
        return {name for (name,) in store.execute("SELECT idempotency_key FROM event")}


def classify(port: int, secret: str, name: str | None = None) -> Answered:
    """A call of four words."""
    return ask(port, "/classify", secret, {"model": "docs", "input": "why is it so"}, name)


def chat(prompt: str, most: int, *, stream: bool = False) -> dict[str, Any]:
    """A question with an answer of that many tokens."""
    messages = [{"role": "user", "content": prompt}]
    return {"model": "facts", "messages": messages, "max_completion_tokens": most, "stream": stream}


def price(port: int, secret: str, receipt: str) -> tuple[int, int]:
    """Tokens written and amount by a receipt, once it is there."""
    deadline = time.monotonic() + 30
    while (answer := ask(port, f"/v1/receipts/{receipt}", secret))[0] == 404 and time.monotonic() < deadline:
        time.sleep(0.01)
    body = json.loads(Envelope.parse(_json(answer)["receipt"].encode(), "receipt").payload)
    return body["tokens"]["output"], body["price"]["micro"]


def ask(port: int, path: str, secret: str, body: Any = None, name: str | None = None) -> Answered:
    """An answer: POST where there is a body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", **({} if name is None else {"Idempotency-Key": name})}
    connection.request("GET" if body is None else "POST", path, body and json.dumps(body), headers)
    answer = connection.getresponse()
    result = answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    connection.close()
    return result


def _read(port: int, secret: str, body: Any, events: int | None = None) -> str:
    """Read a stream, or so many of its events and hang up: its receipt's id."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    read = 0
    while (line := answer.readline()) and read != events:
        read += line.startswith(b"data:")
    connection.close()
    return str(answer.headers["Tribute-Receipt"])


def _json(answer: Answered) -> Any:
    return json.loads(answer[2])
