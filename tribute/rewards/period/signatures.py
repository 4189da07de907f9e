"""The signatures over a closed period: an in-toto statement in a DSSE envelope, `manifest.dsse.json`.

The statement's subject is the manifest's identity (its id is the sha256 of the identity's RFC 8785 form), and
through it every file. The same folder made twice has the same identity, so two people at two desks sign the
same bytes: DSSE's PAE of the statement (github.com/secure-systems-lab/dsse, protocol.md), by Ed25519. The
identity's `config.closers` maps who may sign to public keys; the envelope's `keyid` is one of these names.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from tribute import dsse
from tribute.artifacts import SEAL, Artifact
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError
from tribute.files import write_atomically
from tribute.keys import Key, check_signature, public_half, sign
from tribute.strict import parse_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:tribute:closed-period:v1"
PREDICATE = ("period", "control", "merkle", "previous", "closers")
"""The keys of the manifest's config that stand in the statement itself."""
NEEDED = 2
"""Four eyes: so many closers sign a period, and so many reviewers decide a dispute."""


@dataclass(frozen=True)
class Signature:
    """One closer's signature (base64) with the public key (base64) that checks it."""

    signer: str
    public: str
    signature: str


def statement(identity: Mapping[str, Any]) -> bytes:
    """The in-toto statement about a manifest's identity, in RFC 8785 form."""
    config = identity["config"]
    content: dict[str, Any] = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "manifest.json#identity", "digest": {"sha256": canonical_digest(identity)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {name: config.get(name) for name in PREDICATE},
    }
    return bytes(rfc8785.dumps(content))


def sign_period(identity: Mapping[str, Any], signer: str, key: Key) -> Signature:
    """A closer's signature over exactly this identity."""
    return Signature(signer, public_half(key), sign(key, dsse.pae(PAYLOAD_TYPE, statement(identity))))


def check_period_signature(identity: Mapping[str, Any], signature: Signature, what: str) -> None:
    """Raise IntegrityError unless it is a closer's, by the key that the identity names, over this identity."""
    known = identity["config"].get("closers", {}).get(signature.signer)
    if known != signature.public:
        raise IntegrityError(f"{what}: {signature.signer} did not sign with a key of one who may close this period")
    check_signature(
        signature.public,
        signature.signature,
        dsse.pae(PAYLOAD_TYPE, statement(identity)),
        f"{what}: {signature.signer}",
    )


def write_seal(folder: Path, identity: Mapping[str, Any], signatures: Iterable[Signature]) -> None:
    """Write the envelope beside the manifest. Raises IntegrityError for a signature that does not hold."""
    ordered = sorted(signatures, key=lambda signature: signature.signer)
    for signature in ordered:
        check_period_signature(identity, signature, SEAL)
    write_atomically(
        folder / SEAL,
        dsse.envelope(
            PAYLOAD_TYPE, statement(identity), [(signature.signer, signature.signature) for signature in ordered]
        ),
    )


def verify_seal(artifact: Artifact) -> list[str]:
    """Who signed, at least two with two keys. Raises IntegrityError naming the file."""
    path, identity = artifact.file(SEAL), artifact.identity
    closers = identity["config"].get("closers", {})
    try:
        envelope = parse_json(path.read_bytes())
        payload = b64decode(envelope["payload"], validate=True)
        signatures = [(entry["keyid"], entry["sig"]) for entry in envelope["signatures"]]
        canonical = dsse.envelope(PAYLOAD_TYPE, payload, signatures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path}: no envelope that can be read ({error}); restore the file") from error
    if path.read_bytes() != canonical or payload != statement(identity):
        raise IntegrityError(f"{path}: does not hold the statement about {artifact.id[:12]}…; restore the file")
    for signer, signature in signatures:
        check_period_signature(identity, Signature(signer, closers.get(signer, ""), signature), str(path))
    signers = sorted({signer for signer, _ in signatures})
    if min(len(signers), len({closers[signer] for signer in signers})) < NEEDED:
        raise IntegrityError(f"{path}: signed by {', '.join(signers)}, expected {NEEDED} people with a key each")
    return signers
