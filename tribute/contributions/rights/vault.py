"""Who the contributors are, and where their money goes: one encrypted file, never part of the registry.

The passphrase comes from the environment; the key is derived from it with scrypt (RFC 7914), the file is
encrypted with AES-256-GCM, which also tells whether somebody changed it.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tribute.contributions.intake.submissions import check_id
from tribute.contributions.rights.payees import normal_details, payee_faults
from tribute.errors import IntegrityError, RegistryError
from tribute.files import write_atomically
from tribute.strict import parse_json

ENVIRONMENT = "TRIBUTE_VAULT_PASSPHRASE"
MAGIC = b"tribute-vault-1\n"
SALT, NONCE = 16, 12
COST = 2**16
"""Of scrypt: about 64 MiB and a quarter of a second for each guess."""

People = dict[str, dict[str, str]]
"""Contributor id → what is known about the person: name, payee and so on."""


def read_vault(path: Path) -> People:
    """Everybody in the vault; nobody where there is no file. Raises IntegrityError for a wrong passphrase."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    head = len(MAGIC)
    salt, nonce, sealed = content[head : head + SALT], content[head + SALT :][:NONCE], content[head + SALT + NONCE :]
    try:
        if content[:head] != MAGIC:
            raise InvalidTag
        people: People = parse_json(AESGCM(_derived(salt)).decrypt(nonce, sealed, MAGIC))
    except InvalidTag as error:
        raise IntegrityError(f"{path}: wrong passphrase in {ENVIRONMENT}, or the file was changed") from error
    return people


def write_person(path: Path, contributor: str, details: Mapping[str, str]) -> None:
    """Add to what is known about a contributor; an empty value removes a detail.

    Raises RegistryError with everything that is wrong with the details, and repeats none of them.
    """
    if faults := payee_faults(details):
        raise RegistryError(f"{contributor}: {'; '.join(faults)}; nothing was written")
    write_people(path, {contributor: details})


def write_people(path: Path, people: Mapping[str, Mapping[str, str]]) -> None:
    """Add to what is known about many contributors at once, in one write; the details are without fault."""
    for contributor in people:
        check_id(contributor, "contributor")
    known = read_vault(path)
    for contributor, details in people.items():
        merged = known.get(contributor, {}) | normal_details(details)
        known[contributor] = {name: value for name, value in merged.items() if value}
    _write(path, {id_: about for id_, about in known.items() if about})


def forget_person(path: Path, contributor: str) -> None:
    """Remove a contributor from the vault."""
    _write(path, {id_: about for id_, about in read_vault(path).items() if id_ != contributor})


def _write(path: Path, people: People) -> None:
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    sealed = AESGCM(_derived(salt)).encrypt(nonce, json.dumps(people, sort_keys=True).encode(), MAGIC)
    write_atomically(path, MAGIC + salt + nonce + sealed)
    path.chmod(0o600)


def _derived(salt: bytes) -> bytes:
    passphrase: Any = os.environ.get(ENVIRONMENT)
    if not passphrase:
        raise RegistryError(f"the vault needs a passphrase; put it into the environment as {ENVIRONMENT}")
    return Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode())
