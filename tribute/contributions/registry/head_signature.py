"""The registry's signature over the head of its log, and its keys: `ledger.sig` and `keys.json`.

Both lie beside the log, not in it: two registries with the same history have the same log, whoever keeps them. Each
key after the first is signed by the one before; the first has to be known from another source.
"""

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from tribute.contributions.registry.repository import Repository
from tribute.errors import IntegrityError, RegistryError
from tribute.files import json_bytes
from tribute.keys import Key, check_signature, load_key, make_key, parse_key, public_half, sign
from tribute.strict import parse_json

SEAL = "ledger.sig"
KEYS = "keys.json"
FILE = "registry.pem"
ENVIRONMENT = "TRIBUTE_REGISTRY_KEY"


def registry_key(folder: Path, *, make: bool = False) -> Key:
    """The registry's private key, from the environment or `folder/registry.pem`, which `make` makes if missing.

    Raises RegistryError where it is missing otherwise.
    """
    if ENVIRONMENT in os.environ:
        return parse_key(os.environ[ENVIRONMENT].encode(), ENVIRONMENT)
    path = folder / FILE
    if not path.exists() and not make:
        raise RegistryError(
            f"{path}: the registry's key is not here; copy it from the workspace that released first, or set "
            f"{ENVIRONMENT}"
        )
    return load_key(path) if path.exists() else make_key(path)


def sign_head(repository: Repository, key: Key, head: str) -> None:
    """Sign the head of the log; only inside a transaction. The first key that signs becomes the registry's first."""
    keys = _keys(repository.root / KEYS)
    public = public_half(key)
    if not keys:
        keys = [{"public": public}]
        repository.write(KEYS, json_bytes(keys, indent=1))
    if keys[-1]["public"] != public:
        raise RegistryError(
            f"the registry's key is {keys[-1]['public'][:12]}…, found {public[:12]}…; set {ENVIRONMENT} to the right "
            "one, or replace it with `tribute key rotate registry`"
        )
    repository.write(SEAL, json_bytes({"head": head, "key": public, "signature": sign(key, head.encode())}, indent=1))


def rotate_registry_key(repository: Repository, folder: Path) -> tuple[Key, Path]:
    """Replace the registry's key, in `folder` and in the registry; the old one signs the new and is kept beside it.

    Returns the new key and its file.
    """
    old, beside = registry_key(folder), folder / f"new-{FILE}"
    new = load_key(beside) if beside.exists() else make_key(beside)
    public = public_half(new)

    def body() -> None:
        keys = _keys(repository.root / KEYS)
        if not keys or public_half(old) not in (key["public"] for key in keys[-2:]):
            raise RegistryError("the key given is not the registry's latest; only that one can name its successor")
        if keys[-1]["public"] != public:
            repository.write(
                KEYS, json_bytes([*keys, {"public": public, "signature": sign(old, public.encode())}], indent=1)
            )

    repository.transact("Replace the registry's key", body)
    (folder / FILE).replace(folder / f"old-{FILE}")
    beside.replace(folder / FILE)
    return new, folder / FILE


def verify_keys(tree: Mapping[str, bytes]) -> list[str]:
    """The registry's public keys, first to last. Raises IntegrityError for one that its predecessor did not sign."""
    try:
        keys = parse_json(tree.get(KEYS, b"[]"))
        for before, after in pairwise(keys):
            check_signature(before["public"], after["signature"], after["public"].encode(), KEYS)
        return [str(key["public"]) for key in keys]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{KEYS}: not the registry's keys; restore the file") from error


def verify_head(tree: Mapping[str, bytes], head: str, known: list[str], what: str) -> None:
    """Raise IntegrityError unless `ledger.sig` of a tree is one of the known keys' signature over its log's head."""
    try:
        content = parse_json(tree[SEAL])
        signed, key, signature = content["head"], content["key"], content["signature"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{what}: {SEAL} is missing or damaged; restore the file") from error
    if signed != head:
        raise IntegrityError(f"{what}: {SEAL} signs {signed[:12]}…, the log's head is {head[:12]}…; restore the file")
    if key not in known:
        raise IntegrityError(f"{what}: {SEAL} is signed with {key[:12]}…, which is no key of this registry")
    check_signature(key, signature, head.encode(), f"{what}: {SEAL}")


def _keys(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    keys: list[dict[str, str]] = parse_json(path.read_text(encoding="utf-8"))
    return keys
