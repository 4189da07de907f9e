"""The artifacts of one workspace: found by what they were made from, or made."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute.artifacts.artifact import Artifact, read_artifact, remedy
from tribute.artifacts.manifest import MANIFEST, Kind, artifact_key, write_manifest
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RegistryError
from tribute.files import locked, making


class Store:
    """The artifacts of one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.root = workspace / "artifacts"

    def find(self, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> Artifact | None:
        """The artifact made from exactly this, or None."""
        path = self.root / kind.name / artifact_key(kind, inputs, config)
        if not (path / MANIFEST).exists():
            return None
        artifact = read_artifact(path)
        ingredients = {name: value for name, value in artifact.identity.items() if name != "files"}
        if canonical_digest(ingredients)[:24] != path.name:
            raise IntegrityError(f"{path / MANIFEST}: of another artifact than the folder's name says; {remedy(path)}")
        return artifact

    def make(
        self,
        kind: Kind,
        inputs: Mapping[str, str],
        config: Mapping[str, Any],
        build: Callable[[Path], Mapping[str, Any] | None],
    ) -> Artifact:
        """Find the artifact, or let `build` fill a folder that is then renamed into place.

        `build` gets an empty folder and may return provenance (times, run ids), which is not hashed.
        """
        artifact = self.find(kind, inputs, config)
        if artifact is not None:
            return artifact
        final = self.root / kind.name / artifact_key(kind, inputs, config)
        final.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.root.parent / "scratch" / "locks" / final.name):
            return self.find(kind, inputs, config) or self._made(final, kind, inputs, config, build)

    def _made(
        self,
        final: Path,
        kind: Kind,
        inputs: Mapping[str, str],
        config: Mapping[str, Any],
        build: Callable[[Path], Mapping[str, Any] | None],
    ) -> Artifact:
        """Under the key's lock, so what lies half-made there was left by a killed process."""
        if final.exists():
            raise IntegrityError(f"{final}: a folder without its {MANIFEST}; {remedy(final)}")
        started = time.monotonic()
        with making(final) as folder:
            provenance = {**(build(folder) or {}), **stamp(started)}
            write_manifest(folder, kind, inputs, config, provenance)
        return replace(read_artifact(final), found=False)

    def all(self, kind: str) -> Iterator[Artifact]:
        """Every finished artifact of a kind, in the order of their keys."""
        folder = self.root / kind
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if not path.name.startswith(".") and (path / MANIFEST).exists():
                yield read_artifact(path)

    def get(self, kind: str, id_: str) -> Artifact:
        """The artifact of this id (or a prefix of at least 8 digits). Raises RegistryError."""
        for artifact in self.all(kind):
            if len(id_) >= 8 and artifact.id.startswith(id_):
                return artifact
        raise RegistryError(f"there is no {kind} artifact {id_} in {self.root}; run `tribute run` first")


def stamp(started: float) -> dict[str, Any]:
    """Provenance: when an artifact was made, and the seconds since `started` (of time.monotonic)."""
    made_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"made_at": made_at, "seconds": round(time.monotonic() - started, 1)}
