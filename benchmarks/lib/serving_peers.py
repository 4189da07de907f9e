"""A workspace's classifier asked as fast as it answers: by Tribute's server, a bare loop, LitServe and MLflow."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib.bare_classifier import BareClassifier
from lib.http_load import Target, flooded
from lib.metered_calls import free_port

BENCHMARKS = Path(__file__).parents[1]
SECONDS = 5.0
ROUNDS = 2
TEXTS = (1, 16)
"""Texts of a request."""
PRICES = """currency: EUR
models:
  docs: {request: "0.0001", input: "0.002"}
"""
Body = Callable[[Sequence[str]], Any]
BODIES: Mapping[str, tuple[str, Body]] = {
    "Tribute, metered": ("/classify", lambda texts: {"model": "docs", "input": texts, "truncate_prompt_tokens": -1}),
    "LitServe": ("/predict", lambda texts: {"input": texts}),
    "mlflow models serve": ("/invocations", lambda texts: {"inputs": texts}),
}
"""Server → its path, and the body that asks it for some texts."""


def throughput_table(folder: Path, workspace: Path, peers: Path | None) -> str:
    """Texts a second of each, at 1 and at 16 texts a request, in turn; `peers` is a Python that has LitServe."""
    texts = list(BareClassifier(workspace).evaluation["text"])
    rates: dict[str, list[list[float]]] = {"bare loop, batches of 64": [[] for _ in TEXTS]}
    for _ in range(ROUNDS):
        bare = float(python("loop", workspace, capture=True))
        for rate in rates["bare loop, batches of 64"]:
            rate.append(bare)
        for name, (path, body) in BODIES.items():
            with server(name, folder, workspace, peers) as (port, secret):
                if not port:
                    continue
                measured = rates.setdefault(name, [[] for _ in TEXTS])
                for place, size in enumerate(TEXTS):
                    starts = range(0, len(texts) - size + 1, size)
                    bodies = [json.dumps(body(texts[start : start + size])).encode() for start in starts]
                    targets = [Target(port, path, secret, body) for body in bodies]
                    flooded(targets, 1.0)
                    measured[place].append(flooded(targets, SECONDS) * size)
    best = [max(rate) for rate in rates["bare loop, batches of 64"]]
    lines = ["| texts a second | " + " | ".join(f"{size} a request | of the loop" for size in TEXTS) + " |"]
    lines += ["|---" * (1 + 2 * len(TEXTS)) + "|"]
    for name, measured in rates.items():
        cells = (f"{max(rate):,.0f} | {max(rate) / best[place]:.2f}" for place, rate in enumerate(measured))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def accuracy_table(workspace: Path) -> str:
    """Each served adapter's accuracy on its evaluation rows, asked through the server, and its card's."""
    lines = ["| model | rows | accuracy through the server | its card's |", "|---|---|---|---|"]
    bare = BareClassifier(workspace)
    rows = bare.evaluation
    with server("Tribute, metered", workspace, workspace, None) as (port, secret):
        models = ask(port, "/v1/models", secret)["data"]
        for model in models:
            right = 0
            for start in range(0, len(rows), 16):
                some = rows[start : start + 16]
                body = {"model": model["id"], "input": list(some["text"]), "truncate_prompt_tokens": -1}
                answers = ask(port, "/classify", secret, body)["data"]
                right += sum(answer["label"] == label for answer, label in zip(answers, some["target"], strict=True))
            lines.append(f"| {model['id']} | {len(rows)} | {right / len(rows):.6f} | {bare.recorded['accuracy']:.6f} |")
    return "\n".join(lines)


@contextmanager
def server(name: str, folder: Path, workspace: Path, peers: Path | None) -> Iterator[tuple[int, str]]:
    """A server as a process: its port, 0 where it is not installed, and the key that it asks for."""
    port, secret, environment = free_port(), "none", dict(os.environ)
    if name == "LitServe":
        if peers is None:
            yield 0, ""
            return
        command = [str(peers), "-c", CODE, "litserve", str(workspace), str(port)]
        environment |= {"PYTHONPATH": str(BENCHMARKS.parent)}
    elif name.startswith("mlflow"):
        if not (folder / "pyfunc").exists():
            python("mlflow", workspace, folder / "pyfunc")
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "pyfunc")]
        command += ["-p", str(port), "--env-manager", "local"]
        environment |= {"PYTHONPATH": str(BENCHMARKS), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    else:
        secret = customer(workspace)
        command = [sys.executable, "-m", "tribute", "serve", "--until-eof", "--port", str(port), "-w", str(workspace)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=BENCHMARKS, env=environment, start_new_session=True, **pipes)
    try:
        wait_for(process, port, "/ping" if name.startswith("mlflow") else "/health")
        yield port, secret
    finally:
        os.killpg(process.pid, 15)
        process.wait()


CODE = "from lib.bare_classifier import main; main()"


def python(what: str, workspace: Path, *rest: Path, capture: bool = False) -> str:
    """Run a part of lib/bare_classifier.py in a process of its own: what it prints."""
    command = [sys.executable, "-c", CODE, what, str(workspace), *map(str, rest)]
    return subprocess.run(command, cwd=BENCHMARKS, check=True, capture_output=capture, text=True).stdout


def customer(workspace: Path) -> str:
    """A payer with money, and prices: the secret of a new key."""
    prices = workspace / "prices.yaml"
    if not prices.exists():
        prices.write_text(PRICES)
        tribute(workspace, "price", str(prices))
        tribute(workspace, "payer", "add", "bench", "--currency", "EUR")
        tribute(workspace, "payer", "top-up", "bench", "100000.00", "--reference", "bench")
    return str(json.loads(tribute(workspace, "payer", "key", "bench", "--budget", "90000.00", "--json"))["secret"])


def tribute(workspace: Path, *words: str) -> str:
    """Run a command: what it prints."""
    command = [sys.executable, "-m", "tribute", *words, "-w", str(workspace)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_for(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    """Until the server answers."""
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server on {port} does not answer: {error}") from error
            time.sleep(0.2)


def ask(port: int, path: str, secret: str, body: Any = None) -> Any:
    """A request's answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())
