"""The artifacts of one workspace: found by what they were made from, fetched from a bucket, or made."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute.artifacts.artifact import Artifact, add_provenance, read_artifact, remedy
from tribute.artifacts.manifest import MANIFEST, Kind, artifact_key, write_manifest
from tribute.artifacts.remote import Remote
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RegistryError
from tribute.files import locked, making

NOTED = 3600
"""Seconds within which a second use of an artifact is not noted again."""
Build = Callable[[Path], Mapping[str, Any] | None]


class Store:
    """The artifacts of one workspace, and with a `remote` those of all machines that share it."""

    def __init__(self, workspace: Path, remote: Remote | None = None) -> None:
        self.root = workspace / "artifacts"
        self.remote = remote
        self._scratch = workspace / "scratch"
        self._places: dict[str, dict[str, Path]] = {}

    def find(self, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> Artifact | None:
        """The artifact made from exactly this, or None."""
        artifact = self._here(kind, inputs, config)
        if artifact is None and self.remote is not None:
            key = artifact_key(kind, inputs, config)
            with self._locked(key):
                artifact = self._here(kind, inputs, config) or self._fetched(kind.name, key)
        return artifact and _used(artifact)

    def make(self, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any], build: Build) -> Artifact:
        """Find the artifact, or let `build` fill a folder that is then renamed into place.

        `build` gets an empty folder and may return provenance (times, run ids), which is not hashed.
        """
        artifact = self.find(kind, inputs, config)
        if artifact is None:
            with self._locked(artifact_key(kind, inputs, config)):
                artifact = self._here(kind, inputs, config) or self._made_for_all(kind, inputs, config, build)
        self._share(artifact)
        return artifact

    def add_provenance(self, artifact: Artifact, provenance: Mapping[str, Any]) -> Artifact:
        """The artifact with more provenance in its manifest, here and in the bucket; its id stays."""
        added = add_provenance(artifact, provenance)
        if self.remote is not None:
            self.remote.rewrite(added)
        return added

    def all(self, kind: str) -> Iterator[Artifact]:
        """Every finished artifact of a kind that is here, in the order of their keys."""
        folder = self.root / kind
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if not path.name.startswith(".") and (path / MANIFEST).exists():
                yield read_artifact(path)

    def get(self, kind: str, id_: str) -> Artifact:
        """The artifact of this id (or a prefix of at least 8 digits). Raises RegistryError."""
        here = self._known(kind, id_) if len(id_) >= 8 else None
        if here is not None:
            return _used(here)
        key = self.remote.key_of(kind, id_) if self.remote is not None and len(id_) >= 8 else None
        fetched = self.fetch(kind, key) if key else None
        if fetched is None:
            raise RegistryError(f"there is no {kind} artifact {id_} in {self.root}; run `tribute run` first")
        return fetched

    def fetch(self, kind: str, key: str) -> Artifact | None:
        """The artifact of this key, from the bucket where it is not here."""
        path = self.root / kind / key
        with self._locked(key):
            return read_artifact(path) if (path / MANIFEST).exists() else self._fetched(kind, key)

    def _known(self, kind: str, id_: str) -> Artifact | None:
        """The artifact of this id, where it lay when it was last seen; else the kind is looked through."""
        places = self._places.setdefault(kind, {})
        for known, path in list(places.items()):
            if known.startswith(id_) and (path / MANIFEST).exists():
                artifact = read_artifact(path)
                if artifact.id == known:
                    return artifact
        for artifact in self.all(kind):
            places[artifact.id] = artifact.path
            if artifact.id.startswith(id_):
                return artifact
        return None

    def _locked(self, key: str) -> AbstractContextManager[None]:
        return locked(self._scratch / "locks" / key)

    def _here(self, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> Artifact | None:
        path = self.root / kind.name / artifact_key(kind, inputs, config)
        if not (path / MANIFEST).exists():
            return None
        artifact = read_artifact(path)
        ingredients = {name: value for name, value in artifact.identity.items() if name != "files"}
        if canonical_digest(ingredients)[:24] != path.name:
            raise IntegrityError(f"{path / MANIFEST}: of another artifact than the folder's name says; {remedy(path)}")
        return artifact

    def _fetched(self, kind: str, key: str) -> Artifact | None:
        """Under the key's lock: the bucket's artifact, now here."""
        final = self.root / kind / key
        if self.remote is None or not self.remote.has(kind, key):
            return None
        _refuse_half(final)
        with making(final) as folder:
            self.remote.fetch(kind, key, folder)
        return read_artifact(final)

    def _made_for_all(self, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any], build: Build) -> Artifact:
        """Under the key's lock here and in the bucket; another machine may have made it while this one waited."""
        final = self.root / kind.name / artifact_key(kind, inputs, config)
        if self.remote is None:
            return self._made(final, kind, inputs, config, build)
        with self.remote.making(final.name):
            fetched = self._fetched(kind.name, final.name)
            if fetched is not None:
                return fetched
            artifact = self._made(final, kind, inputs, config, build)
            if self.remote.put(artifact) != artifact.id:
                # This machine was taken for dead, and the other one was faster.
                shutil.rmtree(final)
                return self._fetched(kind.name, final.name) or artifact
            return artifact

    def _made(
        self, final: Path, kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any], build: Build
    ) -> Artifact:
        """Under the key's lock, so what lies half-made there was left by a killed process."""
        _refuse_half(final)
        started = time.monotonic()
        with making(final) as folder:
            provenance = {**(build(folder) or {}), **stamp(started)}
            write_manifest(folder, kind, inputs, config, provenance)
        return replace(read_artifact(final), found=False)

    def _share(self, artifact: Artifact) -> None:
        """Put the artifact into the bucket, once: a note in scratch/ says that it was done."""
        if self.remote is None:
            return
        bucket = canonical_digest({"url": self.remote.bucket.url})[:12]
        note = self._scratch / "shared" / bucket / artifact.path.name
        if note.exists():
            return
        standing = self.remote.put(artifact)
        if standing != artifact.id:
            raise IntegrityError(
                f"{artifact.path}: {artifact.kind} {artifact.id[:12]}, but {self.remote.bucket.url} has "
                f"{standing[:12]}, made from the same; delete the folder to take that one"
            )
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()


def stamp(started: float) -> dict[str, Any]:
    """Provenance: when an artifact was made, and the seconds since `started` (of time.monotonic)."""
    made_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"made_at": made_at, "seconds": round(time.monotonic() - started, 1)}


def _used(artifact: Artifact) -> Artifact:
    """Note by the time of its manifest that an artifact is used: what nobody uses for long may be removed."""
    manifest = artifact.file(MANIFEST)
    # On a shared disk it may be another user's, without the right to note anything.
    with suppress(OSError):
        if time.time() - manifest.stat().st_mtime > NOTED:
            os.utime(manifest)
    return artifact


def _refuse_half(final: Path) -> None:
    if final.exists():
        raise IntegrityError(f"{final}: a folder without its {MANIFEST}; {remedy(final)}")
