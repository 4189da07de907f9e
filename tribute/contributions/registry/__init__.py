"""The registry: a git and DVC repository with an append-only log, snapshots, tags and signatures."""

from tribute.contributions.registry.head_signature import registry_key, rotate_registry_key, verify_keys
from tribute.contributions.registry.identity import organisations_of, public_keys, read_identity
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.registry.versions import Version, number

__all__ = [
    "Contribution",
    "LedgerRecord",
    "Registry",
    "Snapshot",
    "Version",
    "number",
    "organisations_of",
    "public_keys",
    "read_identity",
    "registry_key",
    "rotate_registry_key",
    "verify_keys",
    "verify_registry",
]
