"""Opening a workspace's services: the usage store, its keys, and the serving key's certificate.

services/usage.db            the usage store, unless a PostgreSQL URL is given
services/certificate.json    what the registry's key says of the serving key
keys/serving.pem             signs receipts, and nothing else
keys/store.key               32 bytes without which the texts in the store are noise
"""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import BoundedSemaphore

from tribute.contributions.registry import Registry, registry_key, verify_keys
from tribute.errors import IntegrityError, ServiceError
from tribute.files import write_atomically
from tribute.keys import load_key, make_key, public_half
from tribute.server.metrics import Metrics
from tribute.server.models import refresh
from tribute.services.accounts import Keys
from tribute.services.catalogue import Catalogue
from tribute.services.engines import LocalEngine, UpstreamEngine
from tribute.services.meter import Meter, Texts
from tribute.services.prices import Prices
from tribute.services.receipts import Certificate, SigningProcess, certify, read_certificate
from tribute.services.retrieval import Shelf
from tribute.services.store import Store, as_text, parse_time
from tribute.workspace import Workspace

INSTANCE = "server"
UPSTREAM_KEY = "TRIBUTE_UPSTREAM_KEY"
"""The environment's variable with the key of the upstream, if it needs one."""
VALID, RENEWED = timedelta(days=90), timedelta(days=30)
"""How long a certificate lasts, and how long before its end a start makes another."""
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
    signer: SigningProcess
    catalogue: Catalogue = field(default_factory=lambda: Catalogue({}, {}))
    metrics: Metrics = field(default_factory=Metrics)
    slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_CALLS))
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tribute.server"))

    @property
    def prices(self) -> Prices:
        """The published price lists."""
        return self.meter.prices

    def refresh(self) -> None:
        """Serve what the workspace has now. Raises TributeError, and goes on as before."""
        self.catalogue = refresh(self.workspace, self.engine, self.catalogue)


def store_url(workspace: Workspace, url: str | None = None) -> str:
    """The URL of a workspace's usage store: its own file, or the database that is named."""
    return url or f"sqlite:///{workspace.root / 'services' / 'usage.db'}"


@contextmanager
def open_services(
    workspace: Workspace, url: str | None = None, instance: str = INSTANCE, upstream: str | None = None
) -> Iterator[Services]:
    """A workspace's services with an empty catalogue; makes the keys that are missing.

    `upstream` is the URL of what writes answers, by default this process.
    Raises ServiceError 503 where another server has the store open, RegistryError without the registry's key.
    """
    registry = verify_keys(Registry.open(workspace).snapshot().tree)
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(store_url(workspace, url), instance))
        certificate = _certificate(workspace, store, registry)
        signer = stack.enter_context(SigningProcess(_serving_key(workspace), certificate, registry))
        engine = UpstreamEngine(upstream, os.environ.get(UPSTREAM_KEY)) if upstream else LocalEngine()
        stack.callback(engine.close)
        meter = Meter(store, Prices(store, registry), Texts(store, _store_key(workspace)), signer)
        yield Services(workspace, store, Keys(store), meter, engine, Shelf(workspace), registry, signer)


def _serving_key(workspace: Workspace) -> Path:
    path = workspace.keys / "serving.pem"
    if not path.exists():
        make_key(path)
    return path


def _store_key(workspace: Workspace) -> bytes:
    """The store's key. Raises ServiceError 500 where others can read it."""
    path = workspace.keys / "store.key"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    if path.stat().st_mode & 0o077:
        raise ServiceError(f"{path}: others can read this key; `chmod 600` it", 500)
    return path.read_bytes()


def _certificate(workspace: Workspace, store: Store, registry: Sequence[str]) -> bytes:
    """The serving key's certificate; a new one where there is none, or it is another instance's or ends soon."""
    path = workspace.root / "services" / "certificate.json"
    now = store.now()
    soon = as_text(parse_time(now) + RENEWED)
    public = public_half(load_key(_serving_key(workspace)))
    if path.exists():
        try:
            old = read_certificate(path.read_bytes(), registry)
        except IntegrityError:
            old = None
        if old is not None and (old.public, old.instance) == (public, store.instance) and old.covers(soon):
            return path.read_bytes()
    until = as_text(parse_time(now) + VALID)
    content = certify(Certificate(public, store.instance, now, until), registry_key(workspace.keys))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return content
