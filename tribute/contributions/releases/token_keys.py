"""What the model reads of a text, as a key that says nothing about the text to anybody without the registry's key."""

import hmac
from array import array
from collections.abc import Sequence

from tribute.contributions.registry.head_signature import KEYS, registry_key
from tribute.contributions.registry.registry import Registry
from tribute.contributions.releases.tokenizer import Tokenizer
from tribute.contributions.rows import ContributedRow
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.findings import TokenKeys
from tribute.errors import RegistryError
from tribute.keys import sign

PURPOSE = b"tribute: keys of token ids, 1"


def token_keys(registry: Registry, schema: DatasetSchema, tokenizer: Tokenizer | None) -> TokenKeys | None:
    """A function from rows to keys of their token ids: HMAC-SHA256; None where the schema names no tokenizer.

    Raises RegistryError where the schema names one and `tokenizer` is another, or none.
    """
    if not schema.tokenizer:
        return None
    if tokenizer is None:
        raise _other(schema, "none was given")
    plain, secret = named_ids(schema, tokenizer), _secret(registry) + bytes.fromhex(tokenizer.sha256)

    def keys(rows: Sequence[ContributedRow]) -> list[bytes | None]:
        return [None if ids is None else hmac.digest(secret, ids, "sha256") for ids in plain(rows)]

    return keys


def named_ids(schema: DatasetSchema, tokenizer: Tokenizer) -> TokenKeys:
    """A function from rows to their token ids. Raises RegistryError where the schema names another tokenizer."""
    if tokenizer.sha256 != schema.tokenizer:
        raise _other(schema, f"found {tokenizer.sha256[:12]}…")
    return token_ids(tokenizer)


def token_ids(tokenizer: Tokenizer) -> TokenKeys:
    """A function from rows to their token ids as bytes, which are as telling as the text: to compare, not to keep."""

    def ids(rows: Sequence[ContributedRow]) -> list[bytes | None]:
        read = tokenizer.encode([row.row.text for row in rows])
        return [None if known is None else array("q", known).tobytes() for known in read]

    return ids


def _other(schema: DatasetSchema, other: str) -> RegistryError:
    if not schema.tokenizer:
        return RegistryError(f"dataset {schema.name} names no tokenizer in its schema; leave --tokenizer out")
    return RegistryError(
        f"dataset {schema.name} compares rows as the tokenizer {schema.tokenizer[:12]}… reads them; {other}. "
        "Give the base model's folder with --tokenizer"
    )


def _secret(registry: Registry) -> bytes:
    """A secret that only the holder of the registry's key can compute; before the first release there is no key."""
    is_new = not (registry.repository.root / KEYS).exists()
    return sign(registry_key(registry.keys, make=is_new), PURPOSE).encode()
