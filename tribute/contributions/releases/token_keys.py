"""What the model reads of a text, as a key that says nothing about the text to anybody without the registry's key."""

import hmac
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tribute.contributions.registry.head_signature import KEYS, registry_key
from tribute.contributions.registry.registry import Registry
from tribute.contributions.rows import ContributedRow
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.findings import TokenKeys
from tribute.errors import RegistryError
from tribute.keys import sign

PURPOSE = b"tribute: keys of token ids, 1"


@dataclass(frozen=True)
class Tokenizer:
    """`encode` gives each text's token ids, untruncated, or None where a token is unknown to it.

    `sha256` is that of its `tokenizer.json`.
    """

    sha256: str
    encode: Callable[[Sequence[str]], Sequence[Sequence[int] | None]]


def token_keys(registry: Registry, schema: DatasetSchema, tokenizer: Tokenizer | None) -> TokenKeys | None:
    """A function from rows to keys of their token ids: HMAC-SHA256; None where the schema names no tokenizer.

    Raises RegistryError where the schema names one and `tokenizer` is another, or none.
    """
    if not schema.tokenizer:
        return None
    if tokenizer is None or tokenizer.sha256 != schema.tokenizer:
        other = f"found {tokenizer.sha256[:12]}…" if tokenizer else "none was given"
        raise RegistryError(
            f"dataset {schema.name} compares rows as the tokenizer {schema.tokenizer[:12]}… reads them; {other}. "
            "Give the base model's folder with --tokenizer"
        )
    secret = _secret(registry) + bytes.fromhex(tokenizer.sha256)

    def keys(rows: Sequence[ContributedRow]) -> list[bytes | None]:
        ids = tokenizer.encode([row.row.text for row in rows])
        return [None if known is None else hmac.digest(secret, array("q", known).tobytes(), "sha256") for known in ids]

    return keys


def _secret(registry: Registry) -> bytes:
    """A secret that only the holder of the registry's key can compute; before the first release there is no key."""
    is_new = not (registry.repository.root / KEYS).exists()
    return sign(registry_key(registry.keys, make=is_new), PURPOSE).encode()
