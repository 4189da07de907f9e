"""A finished artifact, read from its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tribute.artifacts.manifest import MANIFEST, manifest_bytes
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError
from tribute.files import write_atomically
from tribute.strict import parse_json


@dataclass(frozen=True)
class Artifact:
    """A finished folder: `id` is the sha256 of `identity` in RFC 8785 form, 64 hex digits."""

    path: Path
    id: str
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any]
    found: bool = field(default=True, compare=False)
    """False where `Store.make` had to make it."""

    @property
    def kind(self) -> str:
        """The name of the kind, such as `adapter`."""
        return str(self.identity["kind"])

    @property
    def inputs(self) -> Mapping[str, str]:
        """Name of input → digest of what was read."""
        return dict(self.identity["inputs"])

    def file(self, name: str) -> Path:
        """The path of one of the artifact's files."""
        return self.path / name

    def json(self, name: str) -> dict[str, Any]:
        """The content of one of the artifact's JSON files."""
        content: dict[str, Any] = parse_json(self.file(name).read_text(encoding="utf-8"))
        return content


def read_artifact(path: Path) -> Artifact:
    """Read a folder's manifest. Raises IntegrityError where there is none that can be read, or it was edited."""
    try:
        content = parse_json((path / MANIFEST).read_text(encoding="utf-8"))
        artifact = Artifact(path, content["id"], content["identity"], content["provenance"])
        digest = canonical_digest(artifact.identity)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path / MANIFEST}: no readable manifest ({error}); {remedy(path)}") from error
    if digest != artifact.id:
        raise IntegrityError(f"{path / MANIFEST}: the identity does not have the id {artifact.id}; {remedy(path)}")
    return artifact


def add_provenance(artifact: Artifact, provenance: Mapping[str, Any]) -> Artifact:
    """The artifact with more provenance in its manifest; its identity, and so its id, stay."""
    added = {**artifact.provenance, **provenance}
    write_atomically(artifact.path / MANIFEST, manifest_bytes(artifact.id, artifact.identity, added))
    return replace(artifact, provenance=added)


def remedy(folder: Path) -> str:
    """What to do where a folder is not as it was written: an artifact can be made again, a period cannot."""
    again = f", or delete {folder} and run again" if folder.parent.parent.name == "artifacts" else ""
    return f"restore the file{again}"
