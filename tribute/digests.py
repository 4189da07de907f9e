"""Canonical JSON, SHA-256 digests of JSON values and files, and chains of records that hold the last one's hash."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785

_PLACE = re.compile(rb'(?m)^(  "(?:base_model_name_or_path|revision)": )"[^\n]*"')
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """A JSON value in RFC 8785 form."""
    # The ledger's lines hold texts alone; for these the standard library writes the same bytes five times as fast.
    return _ENCODER.encode(value).encode("utf-8") if _only_texts(value) else bytes(rfc8785.dumps(value))


def canonical_digest(value: Any) -> str:
    """sha256 of a JSON value in RFC 8785 form, 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def placeless_sha256(path: Path) -> str:
    """sha256 of a file as if it did not say where a base model lies, 64 hex digits.

    The base may move, and lies elsewhere on another machine; what it is, its own digest says.
    """
    if path.name != "adapter_config.json":
        return file_sha256(path)
    return hashlib.sha256(_PLACE.sub(rb"\1null", path.read_bytes())).hexdigest()


def cached_sha256(path: Path) -> str:
    """sha256 of a file that is asked for often, such as a base's weights: read once per process and change."""
    status = path.stat()
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Chain:
    """Records in order. Each holds, under two names of its own, the hash of the record before and its own hash.

    A record's hash is the canonical digest of all its fields but the hash itself, so the last one stands for all.
    """

    previous: str = "prev_hash"
    hash: str = "entry_hash"
    genesis: str = "0" * 64
    """What stands in the first record in place of a hash."""

    def hash_of(self, record: Mapping[str, Any]) -> str:
        """The hash that a record must carry, 64 hex digits."""
        return canonical_digest({name: value for name, value in record.items() if name != self.hash})

    def linked(self, record: Mapping[str, Any], last: str) -> dict[str, Any]:
        """The record with both hashes, as it follows on the one whose hash is `last`."""
        content = {**record, self.previous: last}
        return content | {self.hash: self.hash_of(content)}

    def is_whole(self, record: Mapping[str, Any]) -> bool:
        """Whether a record has the hash that it carries."""
        return bool(record[self.hash] == self.hash_of(record))


def _only_texts(value: Any) -> bool:
    """Whether the value holds nothing but texts, in lists and in objects with ASCII keys."""
    if isinstance(value, str):
        return True
    if isinstance(value, dict):
        return all(isinstance(name, str) and name.isascii() and _only_texts(part) for name, part in value.items())
    return isinstance(value, list) and all(map(_only_texts, value))


@cache
def _sha256_of(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)
