"""Contributors' public keys and organisations, as the registry knows them, and what a key may do.

`contributors/<id>.yaml` holds every key that a contributor ever had; each after the first is signed by the one
before, so what was signed with an earlier key stays in reach of the latest.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import rfc8785
import yaml

from tribute.contributions.registry.paths import contributor_path
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.errors import IntegrityError, RegistryError
from tribute.keys import check_signature, load_key, public_half, sign


def signature_of(tree: Mapping[str, bytes], meta: Mapping[str, Any], file: Path) -> dict[str, str]:
    """The signature of a contribution's meta with the contributor's key in `file`. Raises RegistryError."""
    key, contributor = load_key(file), str(meta["contributor_id"])
    if public_keys(tree, contributor)[-1:] != [public_half(key)]:
        raise RegistryError(f"{file}: not the latest key of {contributor}; register it with `tribute key new` first")
    return {"key": public_half(key), "signature": sign(key, signed_part(meta))}


def signed_part(meta: Mapping[str, Any]) -> bytes:
    """The bytes that a contribution's signature is of: who, what, under which licence and terms."""
    names = ("contributor_id", "dataset", "licence", "sha256", "rows", "terms")
    return rfc8785.dumps({name: meta.get(name) for name in names})


def verify_signature(tree: Mapping[str, bytes], one: Contribution) -> None:
    """Raise IntegrityError unless a signed contribution was signed with a key of its contributor."""
    if one.signature is None:
        return
    if one.signature["key"] not in public_keys(tree, one.contributor_id):
        raise IntegrityError(f"contribution {one.id}: signed with a key that {one.contributor_id} never had")
    meta = {name: getattr(one, name) for name in ("contributor_id", "dataset", "licence", "sha256", "rows", "terms")}
    check_signature(one.signature["key"], one.signature["signature"], signed_part(meta), f"contribution {one.id}")


def verify_identities(tree: Mapping[str, bytes]) -> None:
    """Raise IntegrityError for the first key that its predecessor did not sign."""
    for path in sorted(path for path in tree if path.startswith("contributors/")):
        contributor = Path(path).stem
        keys = read_identity(tree, contributor).get("keys", [])
        for before, after in pairwise(keys):
            check_signature(before["public"], after["signature"], _rotation(contributor, after["public"]), path)


def refuse_stranger(now: Snapshot, one: Contribution, key: Path | None) -> None:
    """Raise RegistryError where a contribution is signed and `key` is not its contributor's or owner's latest."""
    if one.signature is None:
        return
    if key is None:
        raise RegistryError(f"contribution {one.id} is signed: only the key of {one.contributor_id} can withdraw it")
    public = public_half(load_key(key))
    owners = [one.contributor_id, *organisations_of(now.tree, one.contributor_id)]
    if not any(public_keys(now.tree, owner)[-1:] == [public] for owner in owners):
        raise RegistryError(f"{key}: not the latest key of {' or '.join(owners)}, who signed contribution {one.id}")


def public_keys(tree: Mapping[str, bytes], contributor: str) -> list[str]:
    """A contributor's public keys, first to latest; none where none was registered."""
    return [str(one["public"]) for one in read_identity(tree, contributor).get("keys", [])]


def organisations_of(tree: Mapping[str, bytes], contributor: str) -> list[str]:
    """The organisations that own a contributor."""
    names = sorted(Path(path).stem for path in tree if path.startswith("contributors/"))
    return [name for name in names if contributor in read_identity(tree, name).get("members", [])]


def read_identity(tree: Mapping[str, bytes], contributor: str) -> dict[str, Any]:
    """The content of a contributor's file; empty where there is none."""
    path = contributor_path(contributor)
    if path not in tree:
        return {}
    try:
        return dict(yaml.safe_load(tree[path]))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: not what Tribute wrote there; restore the file") from error


def _rotation(contributor: str, public: str) -> bytes:
    return rfc8785.dumps({"contributor_id": contributor, "key": public})
