#!/usr/bin/env python3
"""Checks a period's folder without Tribute: only the standard library, and `cryptography` for the signatures.

    python verify_rewards.py FOLDER [--key ID=BASE64 ...]

FOLDER is a copy of rewards/<period>/; evidence, usage, payers and Parquet files may be missing from it. Recomputed are
hashes, signatures, row counts and control totals, the split of the fee, weights (by verify_weights.py, which has to lie
beside) and amounts, the journal's chain and sums, balances, payments and the Merkle tree. The signers' keys are those
that the manifest names: always give the keys that you know with --key, and nobody else may have signed.
Prints a line per check. Exits 0 for a closed period in which all holds, 3 for a draft in which all holds, 1 where
something is wrong, naming the file, and 2 for a command that cannot be understood.
"""

import argparse
import json
import sys
from base64 import b64decode, b64encode
from calendar import monthrange
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sys.path.insert(0, str(Path(__file__).parent))
from verify_weights import check_payers, check_weights, digest, harm_of, largest_remainder, require, rows_of

EXACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode  # RFC 8785, for what is here


def check_manifest(folder, given):
    content, file = (folder / "manifest.json").read_bytes(), "manifest.json"
    manifest = json.loads(content)
    identity, files = manifest["identity"], manifest["identity"]["files"]
    body = {name: manifest[name] for name in ("id", "identity", "provenance")}
    require(EXACT(body | {"sha256": digest(EXACT(body))}).encode() == content, file, "not in its one form")
    require(identity["kind"] == "rewards" and digest(EXACT(identity)) == manifest["id"], file, "not its own id")
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    for name, path in found.items():
        require(path.is_file() and not path.is_symlink(), name, "a link or a folder, not a plain file")
        good = name in ("manifest.json", "manifest.dsse.json") or digest(path.read_bytes()) == files.get(name)
        require(good, name, "not a file, or the bytes, of the manifest")
    for name in files.keys() - found:
        require(name.endswith((".parquet", "usage.csv", "payers.csv")), name, "missing")
    print(f"✓ {len(files.keys() & found)} files have the manifest's sha256, {len(files.keys() - found)} are not here")
    print("! the manifest's provenance (code commit, times, MLflow runs) is not signed: it proves nothing")
    given.update(identity["config"], id=manifest["id"])
    if given.get("calendar", {}).get("clock") == "simulated":
        print("! a simulation: its days are not real ones")


def check_seal(folder, given):
    name, kind, keys = "manifest.dsse.json", "application/vnd.in-toto+json", {}
    given["draft"] = not (folder / name).exists()
    require(not (given["draft"] and given["known"]), name, "missing, so nobody has signed this period")
    if given["draft"]:
        return print("! a draft: nobody has signed it")
    about = {key: given[key] for key in ("period", "control", "merkle", "previous", "closers")}
    subject = [{"name": "manifest.json#identity", "digest": {"sha256": given["id"]}}]
    types = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:tribute:closed-period:v1"}
    statement, content = EXACT(types | {"subject": subject, "predicate": about}).encode(), (folder / name).read_bytes()
    signatures = json.loads(content)["signatures"]
    envelope = {"payload": b64encode(statement).decode(), "payloadType": kind, "signatures": signatures}
    require(content == EXACT(envelope).encode(), name, "not the statement about this manifest")
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(statement), statement)
    for id_, signature in ((one["keyid"], one["sig"]) for one in signatures):
        keys[id_] = key = given["closers"].get(id_, "")
        good = id_ in given["policy"]["closers"] and (given["known"] or given["closers"]).get(id_) == key
        good = good and b64encode(b64decode(signature)).decode() == signature
        require(good, name, f"not a signature by a known key of {id_}")
        Ed25519PublicKey.from_public_bytes(b64decode(key)).verify(b64decode(signature), message)
    require(len(set(keys.values())) >= 2, name, "expected two signers with a key each")
    print(f"✓ closed and signed by {' and '.join(sorted(keys))}")


def check_totals(folder, given):
    sums, parts = defaultdict(Counter), ("allocation", "amount_minor", "allocated_minor")
    parts = (parts, *(("journal", name, name) for name in ("debit_minor", "credit_minor")))
    parts += (("balances", "closing", "closing_minor"), ("payables", "amount_minor", "payable_minor"))
    parts += (("payables", "withheld_minor", "withheld_minor"),)
    for name, column, total in parts:
        for row in rows_of(folder, name):
            sums[row["currency"]][total] += int(row[column])
    control = {currency: {total: str(own[total]) for _, _, total in parts} for currency, own in sums.items()}
    require(given["control"] == control, "manifest.json", "its control totals are not those of the tables")
    for name in (name for name in given["rows"] if name.endswith(".csv") and (folder / name).exists()):
        count = len(rows_of(folder, Path(name).stem))
        require(count == given["rows"][name], name, f"{count} rows, the manifest says {given['rows'][name]}")
    print("✓ row counts and control totals are those of the tables")


def check_allocation(folder, given):
    file, policy, period, pools, lines = "allocation.csv", given["policy"], given["period"], {}, defaultdict(list)
    gate, rows = json.loads((folder / "gate.json").read_bytes()), rows_of(folder, "allocation")
    rule = "credit" if all(check["passed"] for check in gate["checks"]) else "tokens"
    if policy.get("fallback") == "content":
        rule, least = "blend", min((Fraction(check["counts"]) for check in gate["checks"]), default=Fraction(1))
        good = least == Fraction(gate["reliability"]) == Fraction(given["reliability"])
        require(good, "gate.json", "its reliability is not that of the weakest check, or of the manifest")
    require(gate["rule"] == rule, "gate.json", f"its checks say to pay by {rule}")
    counts = {
        row["contributor_id"]: (int(row["tokens"]), int(row.get("content", 0))) for row in rows_of(folder, "tokens")
    }
    counts = defaultdict(lambda: (0, 0), counts)
    for one in given["funding"]:
        parts = {name: Fraction(pool["part"]) for name, pool in policy["pools"].items()}
        split = {name: Fraction(part) for name, part in policy["split"].items()}
        split, _ = largest_remainder(int(one["net_minor"]), split, period)
        paid, _ = largest_remainder(split.pop("contributors"), parts, period)
        good = all(one[f"{name}_minor"] == str(amount) for name, amount in split.items())
        good = good and one["pools_minor"] == {name: str(amount) for name, amount in paid.items()}
        require(good, "manifest.json", f"the {one['currency']} are not divided as the policy says")
        pools |= {(name, one["currency"]): amount for name, amount in paid.items()}
    for row in rows:
        lines[row["pool"], row["currency"]].append(row)
        require(
            (row["rule"], row["period"]) == (rule, period), file, f"{row['contributor_id']}: another rule or period"
        )
    require(lines.keys() == pools.keys(), file, f"other pools than {sorted(pools)}")
    if "usage" in given and (folder / "usage.json").exists():
        seal, by = json.loads((folder / "usage.json").read_bytes()), defaultdict(dict)
        for line in seal["funds"]:
            if line["dataset"] == given["usage"]["dataset"] and line["minor"]:
                by[line["currency"]][line["payer"]] = str(line["minor"])
        for row in rows_of(folder, "journal"):
            if row["event_type"] == "DRAW" and (payer := row["account"].partition("Assets:Payers:")[2]):
                own = by[row["currency"]]
                own[payer] = str(int(own.get(payer, 0)) + int(row["credit_minor"]) - int(row["debit_minor"]))
        good = seal["root"] == given["usage"]["receipts_root"] and seal["month"] == period
        paid = {one["currency"]: one["payers_minor"] for one in given["funding"] if "payers_minor" in one}
        require(good and by == paid, "usage.json", "not the month or the payers' money of the manifest")
    by_payers, harm = check_payers(folder, given), harm_of(folder)
    for key, own in lines.items():
        weights = {row["contributor_id"]: Fraction(int(row["weight_num"]), int(row["weight_den"])) for row in own}
        require(len(weights) == len(own), file, "a second line")
        check_weights(own, given, gate, counts, by_payers, harm)
        amounts, quotas = largest_remainder(pools[key], weights, period)
        for row in own:
            name = row["contributor_id"]
            good = int(row["amount_minor"]) == amounts[name] and Fraction(row["quota_minor"]) * 10**12 == quotas[name]
            require(good, file, f"{name}: amount or quota do not follow from the weights, which say {amounts[name]}")
    print(f"✓ {len(rows)} amounts follow from the weights, by {rule}, and sum to the pools")


def check_journal(folder, given):
    file, period, journal, head = "journal.csv", given["period"], rows_of(folder, "journal"), given["ledger"]
    entries, posted, moved, expected, keys, days = Counter(), Counter(), Counter(), Counter(), {}, [period]
    closes, place = f"{period}-{monthrange(*map(int, period.split('-')))[1]}", ""
    before, seq = journal[0]["prev_hash"], int(journal[0]["seq"]) - 1
    heads = {0: "0" * 64, seq: before}
    for row in journal:
        good = row["prev_hash"] == before and row["seq"] == str(seq := seq + 1) and row["period"] == period
        before = heads[seq] = digest(EXACT({name: row[name] for name in row if name != "entry_hash"}))
        good = good and row["entry_hash"] == before and row["posted_at"].startswith(period)
        good = good and keys.setdefault(row["idempotency_key"], row["entry_id"]) == row["entry_id"]
        require(good, file, f"line {seq} is not chained, not of {period}, or repeats a key")
        by_close = row["idempotency_key"].startswith(f"{period}/{row['event_type']}/")
        good = days[-1] <= row["posted_at"] and (not by_close or row["posted_at"] == closes)
        require(good, file, f"line {seq} is posted on {row['posted_at']}, before the line before it or not on {closes}")
        days.append(row["posted_at"])
        debit, credit, part = int(row["debit_minor"]), int(row["credit_minor"]), row["account"].split(":")
        entries[row["entry_id"], row["currency"]] += debit - credit
        of_close = row["event_type"] in ("FUND", "ACCRUE", "MARGIN", "INCOME", "DEFER")
        if of_close or row["idempotency_key"].startswith(f"{period}/RESERVE/"):
            posted[row["idempotency_key"]] += debit
        if part[1] in ("Contributor", "Claims"):
            moved[part[2], row["currency"]] += credit - debit
            stage, event = part[-1], row["event_type"]
            kind = "released" if stage == "Payable" and event in ("PAYABLE", "RELEASE") else f"{stage}/{event}"
            moved[part[2], row["currency"], kind] += credit - debit
    require(not any(entries.values()), file, "an entry's debits and credits differ")
    require(heads[0] == "0" * 64 and heads.get(int(head["seq"])) == head["head"], file, "does not follow on the ledger")
    for row in rows_of(folder, "allocation"):
        expected[f"{period}/ACCRUE/{row['pool']}/{row['currency']}/{row['contributor_id']}"] = int(row["amount_minor"])
    for one in given["funding"]:
        expected[f"{period}/RESERVE/{one['currency']}"] = int(one["reserve_minor"])
        expected[f"{period}/FUND/{one['currency']}"] = int(one["net_minor"]) - int(one["reserve_minor"])
    seal = json.loads((folder / "usage.json").read_bytes()) if "usage" in given else {}
    for line in seal.get("margins", []):
        expected[f"{period}/MARGIN/{line['agent']}/{line['payer']}/{line['currency']}"] = line["minor"]
    for line in seal.get("income", []):
        expected[f"{period}/INCOME/{line['dataset']}/{line['payer']}/{line['currency']}"] = line["minor"]
    for line in (line for line in seal.get("funds", []) if line["dataset"] != given["usage"]["dataset"]):
        expected[f"{period}/DEFER/{line['dataset']}/{line['payer']}/{line['currency']}"] = line["minor"]
    require(+posted == +expected, file, "does not post exactly the fees and the amounts allocated")
    print(f"✓ {len(journal)} journal lines are chained and balance, and post what was allocated")
    for row in rows_of(folder, "balances"):
        opening, accrued, adjusted, released, held, withheld, paid, closing = map(int, list(row.values())[2:])
        key = (row["contributor_id"], row["currency"])
        good = opening + accrued + adjusted - withheld - paid == closing == opening + moved.pop(key, 0)
        good = good and (released, held) == (moved[*key, "released"], moved[*key, "Held/HOLD"])
        require(good, "balances.csv", f"{row['contributor_id']}: does not add up, or move as journal.csv says")
    missing = any(change for key, change in moved.items() if len(key) == 2)
    require(not missing, "balances.csv", "somebody whom journal.csv names is missing")
    for row in rows_of(folder, "payables"):
        least = Fraction(given["policy"]["threshold"].get(row["currency"], "0")) * 10 ** int(row["exponent"])
        withheld, gross = int(row["withheld_minor"]), int(row["amount_minor"]) + int(row["withheld_minor"])
        good = gross > withheld == int(gross * Fraction(given["policy"]["withholding"])) and gross >= least
        require(place < (place := row["payment_id"]) and good, "payables.csv", f"{place}: misplaced, or not as agreed")
    print("✓ balances add up and move as it does, payments fit the policy")


def check_leaves(folder, given):
    figures, file, rows = {}, "leaves.csv", rows_of(folder, "leaves")
    for name in ("allocation", "balances"):
        for row in rows_of(folder, name):
            id_ = row["contributor_id"]
            about = {"statement_id": f"{given['period']}-{id_}", "contributor_id": id_}
            figures.setdefault(id_, about | {"allocation": [], "balances": []})[name].append(row)
    named = [(row["contributor_id"], row["statement_id"]) for row in rows]
    expected = [(name, f"{given['period']}-{name}") for name in sorted(figures)]
    require(named == expected, file, "expected one leaf per contributor, with the id of their statement")
    level = [digest(b"\0", bytes.fromhex(row["salt"]), EXACT(figures[row["contributor_id"]])) for row in rows]
    require(level == [row["leaf_sha256"] for row in rows], file, "not the leaves of the statements' figures")
    while len(level) > 1:
        pairs = ["".join(level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
        level = [digest(b"\1", bytes.fromhex(pair)) for pair in pairs] + level[2 * len(pairs) :]
    require(given["merkle"] == {"root": level[0], "size": len(rows)}, file, "not the manifest's root")
    print(f"✓ {len(rows)} statements' figures are the leaves under the root {level[0][:12]}…")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", action="append", default=[], metavar="ID=BASE64")
    told = parser.parse_args()
    if not (told.folder / "manifest.json").is_file():
        parser.error(f"{told.folder}: has no manifest.json; give a copy of rewards/<period>/")
    if odd := [key for key in told.key if "=" not in key]:
        parser.error(f"--key {odd[0]}: expected ID=BASE64, such as anna=ux3C0…")
    given = {"known": dict(key.split("=", 1) for key in told.key)}
    checks = {"manifest.json": check_manifest, "manifest.dsse.json": check_seal, "allocation.csv": check_allocation}
    checks |= {"journal.csv": check_journal, "leaves.csv": check_leaves, "the tables": check_totals}
    for name, check in checks.items():
        try:
            check(told.folder, given)
        except (OSError, LookupError, ValueError, TypeError, AttributeError, InvalidSignature) as error:
            raise SystemExit(f"✗ {name}: does not hold, or cannot be read ({error!r})") from None
    raise SystemExit(3 if given["draft"] else 0)


if __name__ == "__main__":
    main()
