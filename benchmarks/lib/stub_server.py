"""The server with a model that answers at once, metered or not, as a process: what metering adds to a call.

Unmetered are only the key, hold, settlement and receipt; HTTP, bodies, log and counters are the same.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tribute.keys import load_key, make_key, public_half
from tribute.server.app import create_app
from tribute.server.setup.setup import Services
from tribute.services.accounts import Accounts, Key, Keys, Limits
from tribute.services.catalogue import Catalogue, CatalogueEntry
from tribute.services.engines import Piece, Sampling, Tokens
from tribute.services.meter import Answer, Call, Hold, Meter, Settlement, Texts
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.receipts import Certificate, ServedModel, SigningProcess, certify
from tribute.services.retrieval import Shelf
from tribute.services.store import Store
from tribute.workspace import Workspace

MODEL = ServedModel("docs@0123456789abcdef", "a" * 64, "b" * 64, "pass")
ENTRY = CatalogueEntry(
    MODEL, "docs", "docs@v1.0.0", "sequence-classification", "stub", 0, 512, ("a", "b"), champion=True
)
WRITER = replace(
    ENTRY,
    model=replace(MODEL, name="facts@0123456789abcdef"),
    dataset="facts",
    tag="facts@v1.0.0",
    task="causal-lm",
    labels=(),
)
EVER = "2999-01-01T00:00:00.000000Z"
PLENTY = Limits(10**15, 10**15, EVER)
SECRET = "secret.txt"
"""The file of the folder in which the API key is left for the client."""


class StubEngine:
    """Answers at once."""

    def encode(self, _model: str, text: str) -> Tokens:
        """A token per word."""
        return [len(word) for word in text.split()]

    def classify(self, _model: str, rows: Any) -> list[list[float]]:
        """The first label, for all."""
        return [[0.75, 0.25] for _ in rows]

    def encode_chat(self, model: str, messages: Any) -> Tokens:
        """A token per word of all messages."""
        return [token for message in messages for token in self.encode(model, message["content"])]

    def generate(self, _model: str, _prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
        """As many words as are asked for, one each millisecond."""
        for number in range(1, sampling.most + 1):
            time.sleep(0.001)
            yield Piece(f"word {number} ", 1, "length" if number == sampling.most else None, (number,))


class FreeMeter:
    """Holds and settles nothing; the receipt has no content."""

    def __init__(self, prices: Prices) -> None:
        self.prices = prices

    def earlier(self, *_: object) -> None:
        """No call repeats another."""

    def hold(self, key: Key, call: Call) -> Hold:
        """A hold that nobody knows."""
        return Hold("call-0", key, call, 0, 1, EVER, "")

    def settle(self, hold: Hold, answer: Answer) -> Settlement:
        """What was answered."""
        return Settlement(hold.receipt, 0, answer.content, answer.complete, b"", b"")

    def release(self, _: Hold) -> None:
        """Nothing was held."""


class AnyKey:
    """One key for all secrets."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def recognise(self, _: str) -> Key:
        """The key."""
        return self._key


@contextmanager
def stub_services(folder: Path, *, metered: bool) -> Iterator[Services]:
    """Open services with a payer that has plenty; the serving key signs in a process of its own.

    A folder that has a store already is opened again.
    """
    path, own, is_new = folder / "serving.pem", folder / "registry.pem", not (folder / SECRET).exists()
    if is_new:
        make_key(path)
        make_key(own)
    registry = load_key(own)
    public = [public_half(registry)]
    certificate = certify(
        Certificate(public_half(load_key(path)), "server", "2000-01-01T00:00:00.000000Z", EVER), registry
    )
    with (
        Store.open(f"sqlite:///{folder}/usage.db", "server") as store,
        SigningProcess(path, certificate, public) as signer,
    ):
        prices, keys = Prices(store, public), Keys(store)
        if is_new:
            _stock(store, prices, keys, registry, folder)
        meter = Meter(store, prices, Texts(store, bytes(32)), signer)
        workspace = Workspace(folder)
        services = Services(
            workspace,
            store,
            keys,
            meter,
            cast(Any, StubEngine()),
            Shelf(workspace),
            public,
            signer,
            Catalogue({MODEL.name: ENTRY, WRITER.model.name: WRITER}, {}),
        )
        if not metered:
            key = keys.recognise((folder / SECRET).read_text())
            services.meter, services.keys = cast(Meter, FreeMeter(prices)), cast(Keys, AnyKey(key))
        yield services


def _stock(store: Store, prices: Prices, keys: Keys, registry: Ed25519PrivateKey, folder: Path) -> None:
    """A payer with plenty and a key, and prices."""
    accounts = Accounts(store)
    accounts.add_payer("acme", "EUR")
    accounts.top_up("acme", "entry", 10**15)
    price = Price(request=100, input=2000, output=8000)
    listed = PriceList(version=1, currency="EUR", models={"docs": price, "facts": price})
    prices.publish(sign_prices(listed, registry))
    (folder / SECRET).write_text(keys.issue("acme", PLENTY)[0])


def serve(folder: Path, port: int, kind: str) -> None:
    """Serve until killed; `kind` is `metered` or `free`."""
    with stub_services(folder, metered=kind == "metered") as services:
        uvicorn.run(create_app(services), host="127.0.0.1", port=port, log_config=None, access_log=False)


def main() -> None:
    """`serve`; the arguments are a folder, a port, and `metered` or `free`."""
    folder, port, kind = sys.argv[1:]
    serve(Path(folder), int(port), kind)
