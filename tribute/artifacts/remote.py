"""Artifacts in a bucket that machines without a shared disk have in common.

    <kind>/<key>/manifest.json        created last: the machine that creates it first decides which artifact stands
    <kind>/<key>/<id>/<file>          what the manifest lists
    <kind>/ids/<id>                   holds the key
    locks/<key>/<number>              see lease.py

What is fetched is compared with the manifest before anything reads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tribute.artifacts.artifact import Artifact, read_artifact
from tribute.artifacts.bucket import Bucket, shared_bucket
from tribute.artifacts.checks import check_files
from tribute.artifacts.lease import clear, leased
from tribute.artifacts.manifest import ERASED, MANIFEST
from tribute.errors import IntegrityError
from tribute.files import write_atomically
from tribute.strict import parse_json


class Remote:
    """The artifacts of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an artifact of this key."""
        return self.bucket.read(f"{kind}/{key}/{MANIFEST}") is not None

    def fetch(self, kind: str, key: str, folder: Path) -> None:
        """Fill an empty folder with an artifact.

        Raises IntegrityError where it is not there any more, or for a file that is not as the manifest says.
        """
        manifest = self.bucket.read(f"{kind}/{key}/{MANIFEST}")
        if manifest is None:
            raise IntegrityError(f"{self.bucket.url}/{kind}/{key}: its {MANIFEST} was removed; run again")
        place = f"{kind}/{key}/{_id(manifest)}/"
        for name in self.bucket.names(place):
            self.bucket.download(name, folder / name.removeprefix(place))
        write_atomically(folder / MANIFEST, manifest)
        try:
            check_files(read_artifact(folder), without_erased=True)
        except IntegrityError as error:
            what = str(error).removeprefix(f"{folder}/").partition(";")[0]
            raise IntegrityError(
                f"{self.bucket.url}/{kind}/{key}: {what}; remove this folder from the bucket and run again"
            ) from error

    def put(self, artifact: Artifact) -> str:
        """Write an artifact unless there is one of its key; returns the id of the one that stands."""
        place = f"{artifact.kind}/{artifact.path.name}"
        manifest = artifact.file(MANIFEST).read_bytes()
        standing = self.bucket.read(f"{place}/{MANIFEST}")
        if standing is None:
            self._put_files(artifact)
            self.bucket.write(f"{artifact.kind}/ids/{artifact.id}", artifact.path.name.encode())
            if self.bucket.create(f"{place}/{MANIFEST}", manifest):
                return artifact.id
            standing = self.bucket.read(f"{place}/{MANIFEST}")
        return _id(standing or manifest)

    def rewrite(self, artifact: Artifact) -> None:
        """Replace what is no part of the identity: the manifest's provenance, and files that were blanked."""
        if artifact.file(ERASED).exists():
            self._put_files(artifact)
        self.bucket.write(f"{artifact.kind}/{artifact.path.name}/{MANIFEST}", artifact.file(MANIFEST).read_bytes())

    def is_as_here(self, artifact: Artifact) -> bool:
        """Whether the same was erased from the bucket's copy."""
        place = f"{artifact.kind}/{artifact.path.name}/{artifact.id}/{ERASED}"
        return self.bucket.read(place) == artifact.file(ERASED).read_bytes()

    def inputs(self, kind: str, key: str) -> dict[str, str]:
        """Name of input → digest of what an artifact was made from; nothing where it is gone."""
        manifest = self.bucket.read(f"{kind}/{key}/{MANIFEST}")
        return dict(parse_json(manifest.decode())["identity"]["inputs"]) if manifest else {}

    def remove(self, kind: str, key: str) -> None:
        """Remove an artifact, its manifest first."""
        manifest = f"{kind}/{key}/{MANIFEST}"
        names = self.bucket.names(f"{kind}/{key}/")
        self.bucket.remove(*sorted(names, key=lambda name: name != manifest))

    def keys(self, kind: str) -> list[str]:
        """The keys of all artifacts of a kind."""
        names = [name.split("/") for name in self.bucket.names(f"{kind}/")]
        return [key for _, key, *rest in names if rest == [MANIFEST]]

    def key_of(self, kind: str, id_: str) -> str | None:
        """The key of the artifact whose id begins so, or None."""
        names = self.bucket.names(f"{kind}/ids/{id_}")
        key = self.bucket.read(names[0]) if names else None
        return key.decode() if key else None

    @contextmanager
    def making(self, key: str) -> Iterator[None]:
        """Keep every other machine from making the artifact of this key while the body does."""
        place = f"locks/{key}"
        with leased(self.bucket, place):
            yield
        clear(self.bucket, place)

    def _put_files(self, artifact: Artifact) -> None:
        # The note first: a file that was blanked without it would count as damaged.
        beside = [ERASED] if artifact.file(ERASED).exists() else []
        names = [*beside, *artifact.identity["files"]]
        for name in names:
            self.bucket.upload(artifact.file(name), f"{artifact.kind}/{artifact.path.name}/{artifact.id}/{name}")


def shared_artifacts() -> Remote | None:
    """The artifacts of the bucket that TRIBUTE_ARTIFACTS names; None where it is not set."""
    bucket = shared_bucket()
    return None if bucket is None else Remote(bucket)


def _id(manifest: bytes) -> str:
    return str(parse_json(manifest.decode())["id"])
