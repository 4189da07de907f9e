"""Contributors' public keys and organisations as the registry records them, and what a key may do.

`contributors/<id>.yaml` holds every key that a contributor ever had; each after the first is signed by the one
before, so the latest key can still withdraw what an earlier one signed.
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
from tribute.strict import parse_yaml


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


def verify_signature(tree: Mapping[str, bytes], contribution: Contribution) -> None:
    """Raise IntegrityError unless a signed contribution was signed with a key of its contributor."""
    if contribution.signature is None:
        return
    if contribution.signature["key"] not in public_keys(tree, contribution.contributor_id):
        raise IntegrityError(
            f"contribution {contribution.id}: signed with a key that {contribution.contributor_id} never had"
        )
    meta = {
        name: getattr(contribution, name)
        for name in ("contributor_id", "dataset", "licence", "sha256", "rows", "terms")
    }
    check_signature(
        contribution.signature["key"],
        contribution.signature["signature"],
        signed_part(meta),
        f"contribution {contribution.id}",
    )


def verify_identities(tree: Mapping[str, bytes]) -> None:
    """Raise IntegrityError for the first key that its predecessor did not sign."""
    for path in sorted(path for path in tree if path.startswith("contributors/")):
        contributor = Path(path).stem
        keys = read_identity(tree, contributor).get("keys", [])
        for before, after in pairwise(keys):
            check_signature(before["public"], after["signature"], rotation_part(contributor, after["public"]), path)


def refuse_stranger(now: Snapshot, contribution: Contribution, key: Path | None) -> None:
    """Raise RegistryError where a contribution is signed and `key` is not its contributor's or owner's latest."""
    if contribution.signature is None:
        return
    if key is None:
        raise RegistryError(
            f"contribution {contribution.id} is signed: only the key of {contribution.contributor_id} can withdraw it"
        )
    public = public_half(load_key(key))
    owners = [contribution.contributor_id, *organisations_of(now.tree, contribution.contributor_id)]
    if not any(public_keys(now.tree, owner)[-1:] == [public] for owner in owners):
        raise RegistryError(
            f"{key}: not the latest key of {' or '.join(owners)}, who signed contribution {contribution.id}"
        )


def public_keys(tree: Mapping[str, bytes], contributor: str) -> list[str]:
    """A contributor's public keys, first to latest; none where none was registered."""
    return [str(key["public"]) for key in read_identity(tree, contributor).get("keys", [])]


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
        return dict(parse_yaml(tree[path]))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: not what Tribute wrote there; restore the file") from error


def rotation_part(contributor: str, public: str) -> bytes:
    """The bytes that a contributor's key signs to name its successor."""
    return rfc8785.dumps({"contributor_id": contributor, "key": public})
