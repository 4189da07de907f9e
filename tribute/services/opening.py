"""A workspace's meter: where its usage store lies, its keys, and the registry's certificate of the serving key.

services/usage.db                 the usage store, unless a PostgreSQL URL is given
services/certificate.json         what the registry's key says of the server's serving key
keys/serving.pem                  signs receipts, and nothing else
keys/store.key                    32 bytes without which the texts in the store are noise

An instance beside the server, such as the one that explains answers, has a certificate and a serving key of its own,
`certificate-<instance>.json` and `serving-<instance>.pem`.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tribute.contributions.registry import Registry, registry_key, verify_keys
from tribute.errors import IntegrityError, ServiceError
from tribute.files import write_atomically
from tribute.keys import load_key, make_key, public_half
from tribute.services.meter import Meter, Texts
from tribute.services.prices import Prices
from tribute.services.receipts import Certificate, SigningProcess, certify, read_certificate
from tribute.services.store import Store, as_text, parse_time
from tribute.workspace import Workspace

SERVER, EXPLAINER = "server", "explainer"
"""The instances that a workspace has by itself."""
VALID, RENEWED = timedelta(days=90), timedelta(days=30)
"""How long a certificate lasts, and how long before its end a start makes another."""


def store_url(workspace: Workspace, url: str | None = None) -> str:
    """The URL of a workspace's usage store: the one given, the one that TRIBUTE_STORE names, or its own file."""
    return url or os.environ.get("TRIBUTE_STORE") or f"sqlite:///{workspace.root / 'services' / 'usage.db'}"


@contextmanager
def open_meter(
    workspace: Workspace,
    url: str | None = None,
    instance: str = SERVER,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Meter]:
    """The meter of a workspace as an instance; makes the keys that are missing.

    Raises ServiceError 503 where another process is this instance, RegistryError without the registry's key.
    """
    registry = verify_keys(Registry.open(workspace).snapshot().tree)
    with ExitStack() as stack:
        beside = instance == EXPLAINER
        store = stack.enter_context(Store.open(store_url(workspace, url), instance, clock, beside=beside))
        suffix = "" if instance == SERVER else f"-{instance}"
        key = workspace.keys / f"serving{suffix}.pem"
        if not key.exists():
            make_key(key)
        certificate = _certificate(workspace, store, key, registry, f"certificate{suffix}.json")
        signer = stack.enter_context(SigningProcess(key, certificate, registry))
        yield Meter(store, Prices(store, registry), open_texts(workspace, store), signer)


def open_texts(workspace: Workspace, store: Store) -> Texts:
    """The texts of a workspace's store. Raises ServiceError 500 where others can read the store's key."""
    path = workspace.keys / "store.key"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    if path.stat().st_mode & 0o077:
        raise ServiceError(f"{path}: others can read this key; `chmod 600` it", 500)
    return Texts(store, path.read_bytes())


def _certificate(workspace: Workspace, store: Store, key: Path, registry: Sequence[str], name: str) -> bytes:
    """The serving key's certificate; a new one where there is none, or it is another instance's or ends soon."""
    path = workspace.root / "services" / name
    now = store.now()
    soon = as_text(parse_time(now) + RENEWED)
    public = public_half(load_key(key))
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
