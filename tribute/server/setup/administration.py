"""What an operator changes beside a running server: payers, keys and prices, with amounts as people write them.

A price list is a YAML file of amounts in the currency's unit, as text, with at most six decimals:

    currency: EUR
    models:
      docs: {request: "0.0001", input: "0.002", output: "0.008"}   # per request; per thousand tokens read, written
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tribute.contributions.registry import Registry, registry_key, verify_keys
from tribute.errors import ConfigError, ServiceError
from tribute.micro import parse_micro
from tribute.pipeline.usage.clock import clock_of
from tribute.services.accounts import MILLION, Accounts, Keys, Limits, Window
from tribute.services.opening import store_url
from tribute.services.prices import Price, PriceList, Prices, sign_prices
from tribute.services.store import Store, as_text, parse_time
from tribute.settings import Strict, read_yaml, validate
from tribute.workspace import Workspace


class _Prices(Strict):
    """A model's prices as a file has them."""

    request: str = "0"
    input: str = "0"
    output: str = "0"


class _PriceFile(Strict):
    currency: str
    models: dict[str, _Prices]


@dataclass(frozen=True)
class Administration:
    """A usage store that is open beside its servers."""

    workspace: Workspace
    store: Store
    accounts: Accounts
    keys: Keys

    def end(self, days: int) -> str:
        """The time that many days from now."""
        return as_text(parse_time(self.store.now()) + timedelta(days=days))

    def next_version(self) -> int:
        """The version that the next price list has."""
        try:
            return self._prices().current().version + 1
        except ServiceError as error:
            if error.status != 503:
                raise
            return 1

    def publish(self, prices: PriceList) -> PriceList:
        """Sign a list with the registry's key, and publish it."""
        return self._prices().publish(sign_prices(prices, registry_key(self.workspace.keys)))

    def _prices(self) -> Prices:
        return Prices(self.store, verify_keys(Registry.open(self.workspace).snapshot().tree))


@contextmanager
def administration(root: Path, url: str | None) -> Iterator[Administration]:
    """The usage store of a workspace, or of a URL."""
    workspace = Workspace.open(root)
    with Store.attach(store_url(workspace, url), clock_of(workspace)) as store:
        yield Administration(workspace, store, Accounts(store), Keys(store))


def parse_margin(share: str) -> int:
    """`0.05` → 50000 millionths. Raises ConfigError."""
    margin = parse_micro(share)
    if not 0 <= margin <= MILLION:
        raise ConfigError(f"margin {share!r}: expected a share from 0 to 1, such as 0.05")
    return margin


def limits(budget: str, cap: str, expires: str, models: Sequence[str] | None, window: Window) -> Limits:
    """A key's limits. Raises ConfigError for what is no amount."""
    return Limits(parse_micro(budget), parse_micro(cap), expires, tuple(models) if models else None, window)


def load_prices(path: Path, version: int) -> PriceList:
    """A price list from a file. Raises ConfigError listing every fault."""
    content = validate(_PriceFile, read_yaml(path), path)
    models = {
        name: Price(**{part: parse_micro(amount) for part, amount in prices.model_dump().items()})
        for name, prices in content.models.items()
    }
    return PriceList(version=version, currency=content.currency, models=models)
