"""Immutable folders with a manifest, found again by what they were made from.

Every stage writes one folder, `artifacts/<kind>/<key>/`. The key is the digest of what went in (input
digests, config, code); the artifact's id is the digest of the manifest's `identity`, which adds what came
out. Knows nothing of what the stages compute.
"""

from tribute.artifacts.artifact import Artifact, add_provenance, read_artifact
from tribute.artifacts.checks import Erased, check_files, read_erased, verify_artifact
from tribute.artifacts.manifest import (
    ERASED,
    MANIFEST,
    SEAL,
    Kind,
    artifact_key,
    file_digests,
    package_versions,
    write_manifest,
)
from tribute.artifacts.remote import Remote, shared_artifacts
from tribute.artifacts.store import Store, stamp

__all__ = [
    "ERASED",
    "MANIFEST",
    "SEAL",
    "Artifact",
    "Erased",
    "Kind",
    "Remote",
    "Store",
    "add_provenance",
    "artifact_key",
    "check_files",
    "file_digests",
    "package_versions",
    "read_artifact",
    "read_erased",
    "shared_artifacts",
    "stamp",
    "verify_artifact",
    "write_manifest",
]
