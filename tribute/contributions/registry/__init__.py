"""The registry: a git and DVC repository with an append-only log, snapshots, tags and signatures."""

from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.registry.versions import Version, number

__all__ = [
    "LedgerRecord",
    "Registry",
    "Snapshot",
    "Version",
    "number",
    "verify_registry",
]
