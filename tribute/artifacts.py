"""Immutable folders with a manifest, found again by what they were made from.

Every stage writes one folder, `artifacts/<kind>/<key>/`. The key is the digest of what went in (input
digests, config, code); the artifact's id is the digest of the manifest's `identity`, which adds what came
out. Knows nothing of what the stages compute.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import rfc8785

from tribute.closure import code_digest
from tribute.digests import canonical_digest, placeless_sha256
from tribute.errors import IntegrityError, RegistryError
from tribute.files import locked, making, write_atomically
from tribute.strict import parse_json
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


def artifact_key(kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """24 hex digits that name the folder: the digest of everything that decides the result."""
    return canonical_digest(_ingredients(kind, inputs, config))[:24]


def write_manifest(
    folder: Path,
    kind: Kind,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write `manifest.json` over the files in `folder`; returns the artifact's id."""
    identity = _ingredients(kind, inputs, config) | {"files": file_digests(folder)}
    id_ = canonical_digest(identity)
    write_atomically(folder / MANIFEST, _manifest(id_, identity, provenance))
    return id_


def stamp(started: float) -> dict[str, Any]:
    """Provenance: when an artifact was made, and the seconds since `started` (of time.monotonic)."""
    made_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"made_at": made_at, "seconds": round(time.monotonic() - started, 1)}


def add_provenance(artifact: Artifact, provenance: Mapping[str, Any]) -> Artifact:
    """The artifact with more provenance in its manifest; its identity, and so its id, stay."""
    added = {**artifact.provenance, **provenance}
    write_atomically(artifact.path / MANIFEST, _manifest(artifact.id, artifact.identity, added))
    return replace(artifact, provenance=added)


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


def verify_artifact(path: Path) -> Artifact:
    """Check a folder's files and id against its manifest. Raises IntegrityError naming the first file."""
    artifact = read_artifact(path)
    # Provenance is no part of the id; that none of its bytes changed shows in the manifest's one form and checksum.
    if (path / MANIFEST).read_bytes() != _manifest(artifact.id, artifact.identity, artifact.provenance):
        raise IntegrityError(f"{path / MANIFEST}: not as it was written; restore the file")
    recorded, actual, erased = artifact.identity["files"], file_digests(path), read_erased(path)
    for name in sorted(recorded.keys() | actual.keys()):
        if name not in actual:
            raise IntegrityError(f"{path / name}: missing; the manifest lists it")
        if name not in recorded:
            raise IntegrityError(f"{path / name}: not in the manifest; remove it")
        if actual[name] not in (recorded[name], erased.files.get(name)):
            raise IntegrityError(
                f"{path / name}: sha256 {actual[name]}, the manifest says {recorded[name]}; restore the file"
            )
    for entry in sorted(path.rglob("*")):
        plain = entry.is_file() or (entry.is_dir() and any(entry.iterdir()))
        if entry.is_symlink() or not plain:
            raise IntegrityError(
                f"{entry}: a link, an empty folder or no file; remove it, restore what the manifest lists"
            )
    return artifact


def check_files(
    artifact: Artifact, chosen: Callable[[str], bool] = lambda _: True, *, without_erased: bool = False
) -> None:
    """Compare an artifact's files, or those whose name is `chosen`, with its manifest before they are used.

    Raises IntegrityError naming the first that is not as it was written; RegistryError for one from which texts were
    erased, unless the caller can do `without_erased` texts.
    """
    erased = read_erased(artifact.path)
    for name, digest in sorted(artifact.identity["files"].items()):
        if not chosen(name):
            continue
        path, recorded = artifact.file(name), f"sha256 {digest}"
        actual = f"sha256 {placeless_sha256(path)}" if path.is_file() else "no such file"
        if actual == f"sha256 {erased.files.get(name)}":
            if without_erased:
                continue
            raise RegistryError(
                f"{path}: the rows of {', '.join(erased.contributions)} were erased, and this needs their texts; "
                "release a version without them and train on that"
            )
        if actual != recorded:
            raise IntegrityError(
                f"{path}: {actual}, the manifest of {artifact.kind} {artifact.id[:12]} says {recorded}; "
                f"{remedy(artifact.path)}"
            )


class Erased(NamedTuple):
    """What was erased from an artifact: file → sha256 of what is left of it, and the contributions' ids."""

    files: Mapping[str, str]
    contributions: Sequence[str]


def read_erased(path: Path) -> Erased:
    """What was erased from the artifact in a folder; nothing from most."""
    file = path / ERASED
    if not file.exists():
        return Erased({}, ())
    content = parse_json(file.read_text(encoding="utf-8"))
    return Erased(content["files"], content["contributions"])


def remedy(folder: Path) -> str:
    """What to do where a folder is not as it was written: an artifact can be made again, a period cannot."""
    again = f", or delete {folder} and run again" if folder.parent.parent.name == "artifacts" else ""
    return f"restore the file{again}"


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


def _ingredients(kind: Kind, inputs: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "inputs": dict(inputs),
        "config": dict(config),
        "code": {"tribute": __version__, "sha256": code_digest(kind.module)},
        "packages": package_versions(),
    }


def _manifest(id_: str, identity: Mapping[str, Any], provenance: Mapping[str, Any]) -> bytes:
    content: dict[str, Any] = {"id": id_, "identity": dict(identity), "provenance": dict(provenance)}
    content["sha256"] = canonical_digest(content)
    return bytes(rfc8785.dumps(content))
