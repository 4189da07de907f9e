"""An artifact's files compared with its manifest, and what was erased from it since."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tribute.artifacts.artifact import Artifact, read_artifact, remedy
from tribute.artifacts.manifest import ERASED, MANIFEST, file_digests, manifest_bytes
from tribute.digests import placeless_sha256
from tribute.errors import IntegrityError, RegistryError
from tribute.strict import parse_json


def verify_artifact(path: Path) -> Artifact:
    """Check a folder's files and id against its manifest. Raises IntegrityError naming the first file."""
    artifact = read_artifact(path)
    # Provenance is no part of the id; that none of its bytes changed shows in the manifest's one form and checksum.
    if (path / MANIFEST).read_bytes() != manifest_bytes(artifact.id, artifact.identity, artifact.provenance):
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
