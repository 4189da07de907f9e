"""Registering and replacing contributors' keys, and which contributors an organisation owns."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tribute.contributions.intake.submissions import check_id, refuse_look_alikes
from tribute.contributions.registry.identity import public_keys, read_identity, rotation_part
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import contributor_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.errors import RegistryError
from tribute.keys import Key, public_half, sign


def refuse_key(registry: Registry, contributor: str) -> None:
    """Raise RegistryError where a contributor has a key already, ContributionError where the id cannot be one."""
    check_id(contributor, "contributor")
    now = registry.snapshot()
    refuse_look_alikes([contributor], now.contributors())
    if public_keys(now.tree, contributor):
        raise RegistryError(f"{contributor} has a key already; replace it with `tribute key rotate {contributor}`")


def register_key(registry: Registry, contributor: str, key: Key) -> None:
    """Make a contributor's first key known. Raises RegistryError where there is one already."""

    def body() -> None:
        refuse_key(registry, contributor)
        _write(registry, registry.snapshot(), contributor, {"keys": [{"public": public_half(key)}]})

    registry.repository.transact(f"Register a key of {contributor}", body)


def rotate_key(registry: Registry, contributor: str, old: Key, new: Key) -> None:
    """Replace a contributor's key; the old one signs the new. Raises RegistryError for any but the latest key."""

    def body() -> None:
        now = registry.snapshot()
        if public_keys(now.tree, contributor)[-1:] != [public_half(old)]:
            raise RegistryError(f"the key given is not the latest of {contributor}; only that one can be replaced")
        keys = read_identity(now.tree, contributor)["keys"]
        public = public_half(new)
        signature = sign(old, rotation_part(contributor, public))
        _write(registry, now, contributor, {"keys": [*keys, {"public": public, "signature": signature}]})

    registry.repository.transact(f"Replace the key of {contributor}", body)


def set_members(registry: Registry, organisation: str, members: Sequence[str]) -> None:
    """Record which contributors an organisation owns; its key may act for them."""
    check_id(organisation, "organisation")
    for member in members:
        check_id(member, "contributor")

    def body() -> None:
        now = registry.snapshot()
        refuse_look_alikes([organisation], now.contributors())
        known = read_identity(now.tree, organisation)
        if known.get("members") != sorted(set(members)):
            _write(registry, now, organisation, {"members": sorted(set(members))}, "organisation")

    registry.repository.transact(f"Set the members of {organisation}", body)


def _write(registry: Registry, now: Snapshot, id_: str, change: Mapping[str, Any], event: Any = "key") -> None:
    path = contributor_path(id_)
    content = {"id": id_, **read_identity(now.tree, id_), **change}
    registry.repository.write(path, yaml.safe_dump(content, sort_keys=False).encode())
    registry.record(LedgerRecord(event, "", id_, [path]))
