"""A small market: one registry, one payer with money, a price list, and a server's meter."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tribute.keys import Key, public_half
from tribute.services.accounts import Accounts, Keys, Limits
from tribute.services.meter import STEPS, Answer, Call, Figures, Meter, Texts, Training, masked, nats
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.receipts import Certificate, ServedModel, Signer, certify
from tribute.services.store import Store

REGISTRY = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
SERVING = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
PUBLIC = public_half(REGISTRY)
KEYS = [PUBLIC]
SECRET = b"k" * 32
START = datetime(2026, 11, 29, 12, tzinfo=UTC)
NEVER = "2027-12-31T00:00:00.000000Z"
MODEL = ServedModel("docs@0123456789abcdef", "a" * 64, "b" * 64, "pass")
PRICES = PriceList(
    version=1, currency="EUR", models={"docs": Price(request=100, input=2000, output=8000), "free": Price()}
)
CREDIT = 1_000_000
PAIRS = [((1, 2, 3, 4, 5), (6, 7))]
"""The tokens of a question and an answer."""


def training(credits=None, status="explained", mask="00" * 32):
    """An addendum that names these contributors: id → credit in 10⁻¹² nats."""
    sizes = {name: (own, abs(own)) for name, own in (credits or {}).items()}
    figures = Figures(status, STEPS, sum(own for own, _ in sizes.values() if own > 0), STEPS)
    lines = [
        {"contributor": masked(mask, name), "credit": nats(own), "absolute": nats(size)}
        for name, (own, size) in sizes.items()
    ]
    said = {"status": status, "probability": nats(STEPS), "positive": nats(figures.positive)}
    said |= {"part": nats(STEPS), "contributors": lines}
    return Training(said, figures, sizes)


@dataclass
class Clock:
    """A clock that a test moves."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


def signer(instance: str, registry: Key = REGISTRY, until: str = NEVER) -> Signer:
    """The serving key of an instance, certified from the year 2026 on."""
    certificate = Certificate(public_half(SERVING), instance, "2026-01-01T00:00:00.000000Z", until)
    return Signer(SERVING, certify(certificate, registry), [public_half(registry)])


@dataclass
class Market:
    """An open store with its parts, and the payer `acme`."""

    store: Store
    clock: Clock
    accounts: Accounts = field(init=False)
    keys: Keys = field(init=False)
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.accounts, self.keys = Accounts(self.store), Keys(self.store)
        prices = Prices(self.store, KEYS)
        self.meter = Meter(self.store, prices, Texts(self.store, SECRET), signer(self.store.instance))

    def key(self, budget=CREDIT, call_cap=CREDIT, expires=NEVER, *, test=False, **limits):
        """A new key of the payer."""
        return self.keys.issue("acme", Limits(budget, call_cap, expires, **limits), test=test)[1]

    def ask(self, key, text=b"why?", name=None, most=10):
        """Hold for a call of 5 tokens to the model."""
        return self.meter.hold(key, Call(MODEL, text, 5, most, name))

    def answer(self, hold, text=b"because", output=10, **other):
        """Settle with an answer."""
        return self.meter.settle(hold, Answer(text, 5, output, **({"pairs": PAIRS} | other)))

    def call(self, key, text=b"why?", name=None):
        """A whole call: its settlement."""
        return self.answer(self.ask(key, text, name))


@contextmanager
def market(url: str, instance: str = "server", clock: Clock | None = None, *, new: bool = True) -> Iterator[Market]:
    """A market on a database; `new` adds the payer, its money and the price list."""
    clock = clock or Clock()
    with Store.open(url, instance, clock) as store:
        if new:
            accounts = Accounts(store)
            accounts.add_payer("acme", "EUR")
            accounts.top_up("acme", "entry-1", CREDIT)
            Prices(store, KEYS).publish(sign_prices(PRICES, REGISTRY))
        yield Market(store, clock)
