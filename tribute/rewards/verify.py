"""Checks that a period's folder agrees with itself: every number is recomputed from the one before.

Proves that no file changed since its manifest was written, and that card, verdict, evidence, scores, tokens,
amounts and journal follow from one another for the pool, the κ and the gate in that manifest. It does not
prove that these are the right pool, κ, gate, card, tokens and evidence: whoever writes the whole folder anew
passes, so compare the manifest's id with the one in the run's record, the policy's sha256 with the policy, and
card.json's with the attribution's manifest.

Knows nothing of how the folder came about; of the pipeline it needs only the manifest's format.
"""

import json
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tribute.artifacts import MANIFEST, Artifact, verify_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.money import format_amount
from tribute.rewards import evidence as evidences
from tribute.rewards import journal, tables
from tribute.rewards.allocation import TOKENS, Claim, Rule, largest_remainder, status, weigh
from tribute.rewards.gate import VERDICT, judge
from tribute.rewards.policy import Gate

Rows = list[dict[str, str]]


def verify_period(folder: Path) -> list[str]:
    """Check `rewards/<period>/`; returns a sentence for each check. Raises IntegrityError naming the file."""
    artifact = _verify_files(folder)
    config = artifact.identity["config"]
    allocation = tables.read_csv(folder / "allocation.csv", tables.ALLOCATION)
    entries = tables.read_csv(folder / "journal.csv", tables.JOURNAL)
    exclusions = tables.read_csv(folder / "exclusions.csv", tables.EXCLUSIONS)
    tokens = tables.read_csv(folder / "tokens.csv", tables.TOKENS)
    evidence = tables.read_evidence(folder / "evidence.parquet")
    rows = {
        "allocation.csv": len(allocation),
        "journal.csv": len(entries),
        "exclusions.csv": len(exclusions),
        "evidence.parquet": int(evidence.num_rows),
        "tokens.csv": len(tokens),
    }
    try:
        rule, judged = _check_verdict(folder, config)
        return [
            f"{len(artifact.identity['files'])} files have the sha256 that the manifest lists",
            judged,
            _check_weights(folder / "allocation.csv", allocation, tokens, config, rule),
            _check_amounts(folder / "allocation.csv", allocation, config),
            _check_journal(folder / "journal.csv", entries, allocation, config),
            _check_evidence(folder / "evidence.parquet", evidence, allocation),
            _check_exclusions(folder / "exclusions.csv", exclusions, allocation),
            _check_control(folder / "control.json", allocation, entries, config, rows),
            _check_statements(folder / "statements", allocation),
        ]
    except (KeyError, TypeError, ValueError, ArithmeticError, RewardError) as error:
        raise IntegrityError(f"{folder}: holds a value that cannot be read ({error}); make the period again") from error


def _verify_files(folder: Path) -> Artifact:
    artifact = verify_artifact(folder)
    if artifact.kind != "rewards":
        raise IntegrityError(f"{folder / MANIFEST}: kind {artifact.kind}, expected rewards; give a period's folder")
    return artifact


def _check_verdict(folder: Path, config: dict[str, Any]) -> tuple[Rule, str]:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    verdict = judge(card, Gate(**config["policy"]["gate"]))
    if json.loads((folder / VERDICT).read_text(encoding="utf-8")) != verdict.document():
        raise IntegrityError(
            f"{folder / VERDICT}: not what card.json and the policy's gate say, which is to pay by {verdict.rule}; "
            "make the period again"
        )
    found = "passes" if verdict.passed else f"fails ({verdict.failed})"
    return verdict.rule, f"the attribution card {found}, judged anew by the policy's gate: paid by {verdict.rule}"


def _check_weights(path: Path, rows: Rows, tokens: Rows, config: dict[str, Any], rule: Rule) -> str:
    kappa = Fraction(config["policy"]["kappa"])
    counts = _counts(path.with_name("tokens.csv"), tokens, rows)
    formula = "tokens, or 0 where score_high < 0" if rule == TOKENS else f"max(0, score − {kappa}·score_se)"
    for row in rows:
        name = row["contributor_id"]
        if row["rule"] != rule:
            raise IntegrityError(f"{path}: {name}: rule {row['rule']}, {VERDICT} says {rule}; make it again")
        if _weight(row) != weigh(_claim(row, counts.get(name, 0)), kappa, rule):
            raise IntegrityError(f"{path}: {name}: the weight is not {formula}; make it again")
    return f"every weight is {formula}"


def _check_amounts(path: Path, rows: Rows, config: dict[str, Any]) -> str:
    pool, currency = int(config["pool_minor"]), config["currency"]
    total = sum(int(row["amount_minor"]) for row in rows)
    if total != pool:
        raise IntegrityError(f"{path}: the lines sum to {total} minor units, the pool is {pool}; make it again")
    weights = {row["contributor_id"]: _weight(row) for row in rows}
    if len(weights) != len(rows) or list(weights) != sorted(weights):
        raise IntegrityError(f"{path}: expected one line per contributor, in their order; make it again")
    expected = largest_remainder(pool, weights, config["period"])
    for row in rows:
        name, amount = row["contributor_id"], int(row["amount_minor"])
        if amount != expected[name]:
            raise IntegrityError(f"{path}: {name}: amount {amount}, the weights say {expected[name]}; make it again")
        if row["status"] != status(_claim(row, 0), weights[name], amount):
            raise IntegrityError(f"{path}: {name}: status {row['status']} does not fit the line; make it again")
        if (row["period"], row["currency"]) != (config["period"], currency):
            raise IntegrityError(f"{path}: {name}: period or currency differ from the manifest; make it again")
    return (
        f"{len(rows)} amounts follow from the weights by largest remainder "
        f"and sum to the pool of {format_amount(pool, currency)} {currency}"
    )


def _counts(path: Path, tokens: Rows, allocation: Rows) -> dict[str, int]:
    """Contributor → tokens, for exactly those who have rows that were trained on."""
    counts = {row["contributor_id"]: int(row["tokens"]) for row in tokens}
    trained = {row["contributor_id"] for row in allocation if int(row["rows_canonical"])}
    counted = {name for name, count in counts.items() if count > 0}
    for name in sorted(counted ^ trained):
        said = "tokens and no trained row" if name in counted else "trained rows and no tokens"
        raise IntegrityError(f"{path}: {name} has {said}; make the period again")
    return counts


def _check_journal(path: Path, entries: Rows, allocation: Rows, config: dict[str, Any]) -> str:
    if faults := journal.faults(entries):
        raise IntegrityError(f"{path}: {faults[0]}; make the period again")
    pool = int(config["pool_minor"])
    expected = {journal.EXPENSE: -pool, journal.RESERVE: 0}
    for row in allocation:
        if int(row["amount_minor"]):
            expected[journal.accrued_account(row["contributor_id"])] = int(row["amount_minor"])
    found = journal.balances(entries)
    for account in sorted(expected.keys() | found.keys()):
        if found.get(account) != expected.get(account):
            raise IntegrityError(
                f"{path}: {account} stands at {found.get(account)} minor units, allocation.csv says "
                f"{expected.get(account)}; make the period again"
            )
    return f"{len(entries)} journal lines are chained, balance, and post exactly the amounts allocated"


def _check_evidence(path: Path, evidence: Any, allocation: Rows) -> str:
    scores = {row["contributor_id"]: Decimal(row["score"]) for row in allocation}
    if wrong := evidences.mismatches(evidences.sums(evidence), scores):
        raise IntegrityError(f"{path}: {wrong[0]}; make the period again")
    digests = evidences.digests(evidence)
    for row in allocation:
        if row["evidence_sha256"] != digests.get(row["contributor_id"], evidences.NO_EVIDENCE):
            raise IntegrityError(
                f"{path}: {row['contributor_id']}: not the evidence whose sha256 allocation.csv carries; "
                "make the period again"
            )
    return f"{evidence.num_rows} lines of evidence sum to the scores within 1e-9 nats"


def _check_exclusions(path: Path, exclusions: Rows, allocation: Rows) -> str:
    counts = Counter(row["contributor_id"] for row in exclusions)
    expected = {row["contributor_id"]: int(row["rows_excluded"]) for row in allocation}
    for name in sorted(counts.keys() | expected.keys()):
        if counts[name] != expected.get(name):
            raise IntegrityError(
                f"{path}: {counts[name]} rows of {name}, allocation.csv says {expected.get(name)}; "
                "make the period again"
            )
    return f"{len(exclusions)} excluded rows are counted on their contributors' lines"


def _check_control(path: Path, allocation: Rows, entries: Rows, config: dict[str, Any], rows: dict[str, int]) -> str:
    expected = tables.control_totals(
        allocation, entries, pool=int(config["pool_minor"]), currency=config["currency"], rows=rows
    )
    if json.loads(path.read_text(encoding="utf-8")) != expected:
        raise IntegrityError(f"{path}: differs from the totals of the tables; make the period again")
    return "the control totals are those of the tables"


def _check_statements(folder: Path, allocation: Rows) -> str:
    found = {path.name for path in folder.glob("*")}
    expected = {f"{row['contributor_id']}.html" for row in allocation}
    for name in sorted(found ^ expected):
        said = "missing" if name in expected else "nobody in allocation.csv has this id"
        raise IntegrityError(f"{folder / name}: {said}; make the period again")
    return f"every one of {len(expected)} contributors has a statement"


def _weight(row: dict[str, str]) -> Fraction:
    return Fraction(int(row["weight_num"]), int(row["weight_den"]))


def _claim(row: dict[str, str], tokens: int) -> Claim:
    score, error, high = (Decimal(row[name]) for name in ("score", "score_se", "score_high"))
    submitted, canonical, excluded = (int(row[f"rows_{name}"]) for name in ("submitted", "canonical", "excluded"))
    return Claim(row["contributor_id"], score, error, submitted, canonical, excluded, high, tokens)
