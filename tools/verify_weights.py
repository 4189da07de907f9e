"""What verify_rewards.py beside it recomputes first: each payer's parts, each weight, and the division of a pool.

Only the standard library. Of a contributor's line in allocation.csv: credit = max(0, score − κ · score_se), or where
queries pay the part of all payers' money in payers.csv; content counts where score_high ≥ 0. By the rule `blend`,
weight = w · credit ÷ Σ credit + (1 − w) · content ÷ Σ content, with w the reliability in gate.json.
Contributors whom the manifest's `payees` maps to one payee are netted first, as are the nats that harmful rows took.
"""

import csv
from collections import Counter, defaultdict
from fractions import Fraction
from hashlib import sha256
from math import isqrt, lcm


def digest(*parts):
    return sha256(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()


def require(holds, file, what):
    if not holds:
        raise SystemExit(f"✗ {file}: {what}")


def rows_of(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def largest_remainder(pool, weights, period):  # → whole amounts, and quotas in units of 1e-12, cut down
    common = lcm(*(weight.denominator for weight in weights.values()))
    parts = {name: weight.numerator * (common // weight.denominator) for name, weight in weights.items()}
    total = sum(parts.values())
    floors = {name: divmod(pool * part, total) for name, part in parts.items()}
    order = sorted(floors, key=lambda name: (-floors[name][1], digest(period, name)))
    lucky = set(order[: pool - sum(floor for floor, _ in floors.values())])
    amounts = {name: floor + (name in lucky) for name, (floor, _) in floors.items()}
    return amounts, {name: pool * part * 10**12 // total for name, part in parts.items()}


def check_payers(folder, given):  # → by pool, the part of all payers' money that goes to each contributor
    file, kappa, payers, parts, funded = "payers.csv", Fraction(given["policy"]["kappa"]), defaultdict(list), {}, {}
    for row in rows_of(folder, "payers") if (folder / file).exists() else []:
        pool, basis = (row["pool"], row.get("currency", "")), row["basis"] if "currency" in row else ""
        payers[pool, row["payer"], basis, int(row["paid"])].append(row)
        funded.setdefault(pool, {}).setdefault(row["payer"], {})[basis] = int(row["paid"])
    for one in (one for one in given["funding"] if funded and "payers_minor" in one):
        paid = {name: int(amount) for name, amount in one["payers_minor"].items()}
        paid |= {"operator": rest} if (rest := int(one["net_minor"]) - sum(paid.values())) else {}
        for (_, currency), own in funded.items():
            if currency == one["currency"]:
                units = {name: sum(parts.values()) for name, parts in own.items()}
                unit = {units.get(name, 0) // amount for name, amount in paid.items()}
                good = len(unit) == 1 and units == {name: amount * min(unit) for name, amount in paid.items()}
                require(good, file, f"the {currency} are not what the manifest says that payers fund")
    for (pool, payer, _, paid), rows in payers.items():
        weights = {row["contributor_id"]: Fraction(row["score"]) - kappa * Fraction(row["score_se"]) for row in rows}
        good = min(weights.values()) > 0 and len(weights) == len(rows) and len({row["basis"] for row in rows}) == 1
        amounts = {row["contributor_id"]: int(row["part"]) for row in rows}
        require(
            good and amounts == largest_remainder(paid, weights, given["period"])[0], file, f"{payer}: not its parts"
        )
        parts[pool] = parts.get(pool, Counter()) + Counter(amounts)
    return {pool: {name: Fraction(part, own.total()) for name, part in own.items()} for pool, own in parts.items()}


def blend(credit, content, reliability):  # → weights, and the three numbers that join to each; see weights.py
    credits, contents = sum(credit.values()), sum(content.values())
    w = reliability if credits and contents else Fraction(bool(credits))
    shares = {name: (own / (credits or 1), Fraction(content[name], contents or 1)) for name, own in credit.items()}
    return {name: w * own + (1 - w) * rest for name, (own, rest) in shares.items()}, w, shares


def net(rows, payees, harm, kappa, credit, content):  # names of one payee, as in weights.py; changes credit, content
    def root(values):
        return Fraction(isqrt(sum(int(value * 10**12) ** 2 for value in values)), 10**12)

    groups = defaultdict(list)
    for row in rows:
        name = row["contributor_id"]
        if name in payees or name in harm:
            groups[payees.get(name, name)].append(row)
    for group in groups.values():
        names = [row["contributor_id"] for row in group]
        score = sum(Fraction(row["score"]) - harm.get(row["contributor_id"], 0) for row in group)
        together = max(Fraction(0), score - kappa * root(Fraction(row["score_se"]) for row in group))
        alone = sum(credit[name] for name in names)
        below = score + root(Fraction(row["score_high"]) - Fraction(row["score"]) for row in group) < 0
        for name in names:
            credit[name] *= min(Fraction(1), together / alone) if alone else 1
            content[name] = 0 if below else content[name]


def harm_of(folder):  # → what each contributor's rows took that were left out as harmful, nats
    harm = Counter()
    for row in rows_of(folder, "exclusions"):
        harm[row["contributor_id"]] += Fraction(row["similarity"]) if row["reason_code"] == "harmful" else 0
    return {name: nats for name, nats in harm.items() if nats}


def check_weights(rows, given, gate, counts, by_payers, harm):
    file, rule, kappa, first = "allocation.csv", gate["rule"], Fraction(given["policy"]["kappa"]), rows[0]
    pool = given["policy"]["pools"][first["pool"]]
    by_query = pool["pays"] == "queries" and "user_cap" not in pool
    surely = {row["contributor_id"]: Fraction(row["score_high"]) >= 0 for row in rows}
    above = {row["contributor_id"]: Fraction(row["score"]) - kappa * Fraction(row["score_se"]) for row in rows}
    credit = {name: max(Fraction(0), value) for name, value in above.items()}
    weights = {row["contributor_id"]: Fraction(int(row["weight_num"]), int(row["weight_den"])) for row in rows}
    content, tokens = ({name: good * counts[name][n] for name, good in surely.items()} for n in (1, 0))
    payees = given.get("payees", {})
    if pool["pays"] == "shares" and (payees or harm):
        nets = not payees or given["policy"].get("netting") == "payees"
        require(nets, "manifest.json", "payees, and a policy that nets nobody")
        net(rows, payees, harm, kappa, credit, content)
    key = (first["pool"], first["currency"] if "usage" in given else "")
    if by_query and not (by_payers := by_payers.get(key)):
        return print(f"! payers.csv is not here: the weights of pool {first['pool']} are taken as they stand")
    credit = {name: by_payers.get(name, Fraction(0)) for name in credit} if by_query else credit
    expected = credit if rule == "credit" else tokens
    if rule == "blend":
        expected, w, shares = blend(credit, content, Fraction(gate["reliability"]))
        for row in rows:
            name, stated = row["contributor_id"], (row["reliability"], row["credit_share"], row["content_share"])
            good = [int(10**12 * value) for value in (w, *shares[name])] == [int(10**12 * Fraction(x)) for x in stated]
            require(good and int(row["content"]) == content[name], file, f"{name}: numbers that do not join")
    wrong = [name for name in weights if weights[name] != expected[name]]
    require(not wrong, file, f"{min(wrong, default='')}: not its weight")
