#!/usr/bin/env python3
"""Checks that the figures in a statement's proof are in a closed period, with the standard library alone.

    python verify_statement.py STATEMENT.json MANIFEST.json

Climbs from these figures (lines of allocation.csv and balances.csv) to the Merkle root in the manifest (RFC 9162), and
checks that they are of the person and period on the statement. The rest of it (standing, payments, credit, rows) is
outside the proof. That the manifest is the one that was signed, verify_rewards.py checks. Exits 0, or says what is
wrong and exits 1; 2 for a command that cannot be understood.
"""

import argparse
import json
from hashlib import sha256
from pathlib import Path


def root_of(proof):
    exact = json.dumps(proof["figures"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    found = sha256(b"\0" + bytes.fromhex(proof["salt"]) + exact).digest()
    siblings, index, last = [bytes.fromhex(one) for one in proof["path"]], proof["index"], proof["size"] - 1
    while siblings and last:
        if index % 2 or index < last:
            pair = siblings.pop(0) + found if index % 2 else found + siblings.pop(0)
            found = sha256(b"\1" + pair).digest()
        index, last = index // 2, last // 2
    return None if siblings or last else found.hex()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("statement", type=Path)
    parser.add_argument("manifest", type=Path)
    files = parser.parse_args()
    for path in (files.statement, files.manifest):
        if not path.is_file():
            parser.error(f"{path}: there is no such file; give STATEMENT.json and the period's manifest.json")
    try:
        check(files.statement, files.manifest)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise SystemExit(f"✗ {files.statement} and {files.manifest}: cannot be read as these two ({error!r})") from None


def check(path, manifest_path):
    statement, manifest = (json.loads(name.read_bytes()) for name in (path, manifest_path))
    proof, signed = statement["proof"], manifest["identity"]["config"]["merkle"]
    if signed != {"root": root_of(proof), "size": proof["size"]}:
        raise SystemExit(f"✗ {path}: its proof does not lead to the root in {manifest_path}")
    name, period = statement["contributor_id"], statement["period"]
    figures, known = proof["figures"], manifest["identity"]["config"]["period"]
    if (figures["contributor_id"], figures["statement_id"], known) != (name, f"{period}-{name}", period):
        raise SystemExit(
            f"✗ {path}: says {name} and {period}, its proof is of {figures['statement_id']} and the manifest of {known}"
        )
    print(f"✓ the figures of {figures['statement_id']} are under the root {signed['root'][:12]}…")
    print("! what else the statement says (standing, payments, credit, rows) is outside this proof")


if __name__ == "__main__":
    main()
