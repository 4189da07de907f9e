"""Canonical JSON and SHA-256 digests of JSON values and files."""

import hashlib
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of texts, in lists and in objects whose keys are ASCII; other values are not for here."""
    return _ENCODER.encode(value).encode("utf-8")


def digest(value: Any) -> str:
    """sha256 of that form, 64 hex digits."""
    return sha256(canonical(value)).hexdigest()


def canonical_digest(value: Any) -> str:
    """sha256 of a JSON value in RFC 8785 form, 64 hex digits."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
