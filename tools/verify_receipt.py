"""Verify a receipt offline, without Tribute: python verify_receipt.py BUNDLE.json [PROOF.json] --registry KEY

Needs Python 3.11 and `cryptography`. The bundle holds `receipt` and `certificate`, and may hold `addendum` and
`addendum_certificate`; it or a second file may hold `proof` and `addendum_proof`. --registry is the registry's public
key in base64, which you know from elsewhere. --root is the month's Merkle root from the signed manifest of the closed
period. --request, --answer (files) and --salt (hex) show that the receipt is about these texts. Exits 1 at the first
thing that does not hold.
"""

import argparse
import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYPE = "application/vnd.tribute.%s.v1+json"


def need(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def opened(text, kind, public, what):
    """The payload of a DSSE envelope that `public` signed."""
    envelope = json.loads(text)
    payload, name = b64decode(envelope["payload"], validate=True), (TYPE % kind).encode()
    need(envelope["payloadType"] == name.decode() and len(envelope["signatures"]) == 1, f"{what}: is a {kind}")
    message = b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
    try:
        signature = b64decode(envelope["signatures"][0]["sig"], validate=True)
        Ed25519PublicKey.from_public_bytes(b64decode(public, validate=True)).verify(signature, message)
        holds = True
    except (InvalidSignature, ValueError):
        holds = False
    need(holds, f"{what}: the signature holds")
    return payload


def included(payload, proof):
    """Whether an RFC 9162 inclusion proof leads from the payload to its root."""
    node, index, last = sha256(b"\0" + payload).digest(), proof["index"], proof["size"] - 1
    path = [bytes.fromhex(text) for text in proof["path"]]
    if not 0 <= index <= last:
        return False
    while last:
        if index % 2 or index < last:
            if not path:
                return False
            pair = (path.pop(0), node) if index % 2 else (node, path.pop(0))
            node = sha256(b"\1" + pair[0] + pair[1]).digest()
        index, last = index // 2, last // 2
    return not path and node.hex() == proof["root"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundle", type=Path, nargs="+")
    options.add_argument("--registry", required=True)
    for name in ("--root", "--salt"):
        options.add_argument(name)
    for name in ("--request", "--answer"):
        options.add_argument(name, type=Path)
    given = options.parse_args()
    bundle = {name: part for path in given.bundle for name, part in json.loads(path.read_bytes()).items()}
    for name, signer, proof in (
        ("receipt", "certificate", "proof"),
        ("addendum", "addendum_certificate", "addendum_proof"),
    ):
        if name not in bundle:
            continue
        certificate = json.loads(opened(bundle[signer], "serving-key", given.registry, signer))
        need(certificate["purpose"] == "receipts", f"{signer}: the key may sign receipts")
        payload = opened(bundle[name], name, certificate["public"], name)
        body = json.loads(payload)
        covered = certificate["valid_from"] <= body["time"] < certificate["valid_until"]
        need(covered and body["instance"] == certificate["instance"], f"{name}: signed when and where the key may")
        if proof in bundle:
            need(included(payload, bundle[proof]), f"{name}: the proof leads to its root")
            need(given.root in (None, bundle[proof]["root"]), f"{name}: the root is the one you gave")
        if name == "receipt":
            receipt = body
    need("addendum" not in bundle or body["receipt"] == receipt["id"], "the addendum, if any, is of this receipt")
    need(given.root is None or "proof" in bundle, "with a root there is a proof")
    for name, path in (("request", given.request), ("answer", given.answer)):
        if path is not None:
            digest = sha256(bytes.fromhex(given.salt or "") + path.read_bytes()).hexdigest()
            need(digest == receipt.get(f"{name}_sha256"), f"the receipt is about this {name}")
    print(json.dumps(receipt, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
