"""The registry's own signature over the ledger's head, and its keys: `ledger.sig` and `keys.json`.

Both lie beside the ledger, not in it: two registries with the same history have the same ledger, whoever keeps
them. Each key after the first is signed by the one before; whom the first belongs to is known from elsewhere.
"""

import json
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from tribute.contributions.registry.repository import Repository
from tribute.errors import IntegrityError, RegistryError
from tribute.files import json_bytes
from tribute.keys import Key, check_signature, load_key, make_key, parse_key, public_half, sign

SEAL = "ledger.sig"
KEYS = "keys.json"
FILE = "registry.pem"
ENVIRONMENT = "TRIBUTE_REGISTRY_KEY"


def own_key(folder: Path, *, make: bool = False) -> Key:
    """The registry's private key, from the environment or `folder/registry.pem`; `make`s the file if asked to."""
    if ENVIRONMENT in os.environ:
        return parse_key(os.environ[ENVIRONMENT].encode(), ENVIRONMENT)
    path = folder / FILE
    return make_key(path) if make and not path.exists() else load_key(path)


def seal(repository: Repository, key: Key, head: str) -> None:
    """Sign the head of the ledger; only inside a transaction. The first key that signs is the registry's first."""
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


def rotate(repository: Repository, folder: Path) -> Key:
    """Replace the registry's key, in `folder` and in the registry; the old one signs the new and is kept beside it."""
    old, beside = own_key(folder), folder / f"new-{FILE}"
    new = load_key(beside) if beside.exists() else make_key(beside)
    public = public_half(new)

    def body() -> None:
        keys = _keys(repository.root / KEYS)
        if not keys or public_half(old) not in (one["public"] for one in keys[-2:]):
            raise RegistryError("the key given is not the registry's latest; only that one can name its successor")
        if keys[-1]["public"] != public:
            repository.write(
                KEYS, json_bytes([*keys, {"public": public, "signature": sign(old, public.encode())}], indent=1)
            )

    repository.transact("Replace the registry's key", body)
    (folder / FILE).replace(folder / f"old-{FILE}")
    beside.replace(folder / FILE)
    return new


def verify_keys(tree: Mapping[str, bytes]) -> list[str]:
    """The registry's public keys, first to last. Raises IntegrityError for one that its predecessor did not sign."""
    try:
        keys = json.loads(tree.get(KEYS, b"[]"))
        for before, after in pairwise(keys):
            check_signature(before["public"], after["signature"], after["public"].encode(), KEYS)
        return [str(one["public"]) for one in keys]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{KEYS}: not the registry's keys; restore the file") from error


def verify_seal(tree: Mapping[str, bytes], head: str, known: list[str], what: str) -> None:
    """Raise IntegrityError unless `ledger.sig` of a tree is one of the known keys' signature over its ledger's head."""
    try:
        found = json.loads(tree[SEAL])
        signed, key, signature = found["head"], found["key"], found["signature"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{what}: {SEAL} is missing or damaged; restore the file") from error
    if signed != head:
        raise IntegrityError(
            f"{what}: {SEAL} signs {signed[:12]}…, the ledger's head is {head[:12]}…; restore the file"
        )
    if key not in known:
        raise IntegrityError(f"{what}: {SEAL} is signed with {key[:12]}…, which is no key of this registry")
    check_signature(key, signature, head.encode(), f"{what}: {SEAL}")


def _keys(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    keys: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return keys
