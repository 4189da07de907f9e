"""A workspace's open services: the meter, the engine, and the catalogue of what is served."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore

from tribute.contributions.registry import Registry, verify_keys
from tribute.pipeline.usage.clock import clock_of
from tribute.server.setup.metrics import Metrics
from tribute.server.setup.models import refresh
from tribute.services.accounts import Keys
from tribute.services.catalogue import Catalogue
from tribute.services.engines import LocalEngine, UpstreamEngine
from tribute.services.meter import Meter
from tribute.services.opening import SERVER, open_meter
from tribute.services.prices import Prices
from tribute.services.receipts import Signer, SigningProcess
from tribute.services.retrieval import Shelf
from tribute.services.store import Store
from tribute.workspace import Workspace

UPSTREAM_KEY = "TRIBUTE_UPSTREAM_KEY"
"""The environment's variable with the key of the upstream, if it needs one."""
MOST_CALLS = 32
"""Calls in flight above which a server says 429; below Starlette's 40 threads, so that it can say so."""


@dataclass
class Services:
    """What the endpoints work with. `catalogue` is swapped as a whole."""

    workspace: Workspace
    store: Store
    keys: Keys
    meter: Meter
    engine: LocalEngine
    shelf: Shelf
    registry_keys: Sequence[str]
    signer: Signer | SigningProcess
    catalogue: Catalogue = field(default_factory=lambda: Catalogue({}, {}))
    metrics: Metrics = field(default_factory=Metrics)
    slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_CALLS))
    background: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tribute-explain"))
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tribute.server"))

    @property
    def prices(self) -> Prices:
        """The published price lists."""
        return self.meter.prices

    def refresh(self) -> None:
        """Serve what the workspace has now. Raises TributeError, and goes on as before."""
        self.catalogue = refresh(self.workspace, self.engine, self.catalogue)


@contextmanager
def open_services(
    workspace: Workspace,
    url: str | None = None,
    instance: str = SERVER,
    upstream: str | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Iterator[Services]:
    """A workspace's services with an empty catalogue; makes the keys that are missing.

    `upstream` is the URL of what writes answers, by default this process; `clock` by default the workspace's.
    Raises ServiceError 503 where another server has the store open, RegistryError without the registry's key.
    """
    registry = verify_keys(Registry.open(workspace).snapshot().tree)
    with ExitStack() as stack:
        meter = stack.enter_context(open_meter(workspace, url, instance, clock or clock_of(workspace)))
        engine = UpstreamEngine(upstream, os.environ.get(UPSTREAM_KEY)) if upstream else LocalEngine()
        stack.callback(engine.close)
        keys, shelf, signer = Keys(meter.store), Shelf(workspace), meter.chain.signer
        services = Services(workspace, meter.store, keys, meter, engine, shelf, registry, signer)
        stack.callback(services.background.shutdown, cancel_futures=True)
        yield services
