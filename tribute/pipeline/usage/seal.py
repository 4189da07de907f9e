"""A month of usage sealed, from which rewards pays: `usage/<month>/`."""

import os
from pathlib import Path

from tribute.contributions.registry import Registry, verify_keys
from tribute.errors import ConfigError, IntegrityError, ServiceError
from tribute.months import is_period
from tribute.pipeline.usage.clock import clock_of
from tribute.services.explaining import pending
from tribute.services.opening import open_texts, store_url
from tribute.services.seal import seal_month, verify_month
from tribute.services.store import Store
from tribute.workspace import Workspace


def is_metered(workspace: Workspace) -> bool:
    """Whether a workspace has a usage store: its own, or one that TRIBUTE_STORE names."""
    return bool(os.environ.get("TRIBUTE_STORE")) or (workspace.root / "services" / "usage.db").exists()


def seal(workspace: Workspace, month: str, url: str | None = None) -> Path:
    """Seal a month that is over; its folder. A running server goes on, in the next month.

    Raises ServiceError: 409 where answers wait to be explained, or the month is not over or not the next one.
    """
    with Store.attach(store_url(workspace, url), clock_of(workspace)) as store:
        if left := pending(store, month):
            raise ServiceError(f"{len(left)} answers of {month} are not explained; run `tribute usage explain`", 409)
        texts = open_texts(workspace, store)
        folder = seal_month(texts, month, workspace.usage)
        texts.forget_month(month)
    return folder


def verify(workspace: Workspace, month: str) -> list[str]:
    """What holds in a sealed month, a sentence each. Raises IntegrityError for the first thing that does not."""
    keys, folder = verify_keys(Registry.open(workspace).snapshot().tree), workspace.usage / month
    if not is_period(month) or not folder.is_dir():
        raise ConfigError(f"{folder}: no such sealed month; seal it with `tribute usage seal {month}`")
    if faults := verify_month(folder, keys):
        raise IntegrityError(f"{folder}: {len(faults)} faults; the first: {faults[0]}")
    return [
        "every event, receipt and addendum holds, and so do their chains, totals, root and signatures",
        "what payers fund follows from what they used",
    ]
