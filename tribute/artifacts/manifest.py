"""The manifest of an artifact: what went in, by which code, and what came out."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import rfc8785

from tribute.closure import code_digest
from tribute.digests import canonical_digest, placeless_sha256
from tribute.files import write_atomically
from tribute.version import __version__

MANIFEST = "manifest.json"
SEAL = "manifest.dsse.json"
"""Signatures over a manifest lie beside it and are, like itself, not among the files that it lists."""
ERASED = "erased.json"
"""Which texts were erased from an artifact that outlives them: beside the manifest, which is not changed."""
PACKAGES = (
    *("accelerate", "numpy", "pandas", "peft", "pyarrow", "scikit-learn"),
    *("scipy", "tokenizers", "torch", "transformers"),
)


class Kind(NamedTuple):
    """A kind of artifact; `module` is the one that makes it, and its closure the code that an artifact's key holds."""

    name: str
    module: str


def artifact_key(kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """24 hex digits that name the folder: the digest of everything that decides the result."""
    return canonical_digest(ingredients(kind, inputs, config))[:24]


def write_manifest(
    folder: Path,
    kind: Kind,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write `manifest.json` over the files in `folder`; returns the artifact's id."""
    identity = ingredients(kind, inputs, config) | {"files": file_digests(folder)}
    id_ = canonical_digest(identity)
    write_atomically(folder / MANIFEST, manifest_bytes(id_, identity, provenance))
    return id_


def file_digests(folder: Path) -> dict[str, str]:
    """Relative path → sha256 of every file below `folder` but the manifest itself and what lies beside it.

    Of an adapter's config it is the one without the base's place (see `placeless_sha256`).
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: placeless_sha256(path) for name, path in named.items() if name not in (MANIFEST, SEAL, ERASED)}


@cache
def package_versions() -> dict[str, str]:
    """Version of Python and of every package whose computations or file formats reach an artifact."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def ingredients(kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the result, and so the key: the identity less the files."""
    return {
        "kind": kind.name,
        "inputs": dict(inputs),
        "config": dict(config),
        "code": {"tribute": __version__, "sha256": code_digest(kind.module)},
        "packages": package_versions(),
    }


def manifest_bytes(id_: str, identity: Mapping[str, Any], provenance: Mapping[str, Any]) -> bytes:
    """A manifest in its one form, RFC 8785, with a checksum that covers the provenance, too."""
    content: dict[str, Any] = {"id": id_, "identity": dict(identity), "provenance": dict(provenance)}
    content["sha256"] = canonical_digest(content)
    return bytes(rfc8785.dumps(content))
