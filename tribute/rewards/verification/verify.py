"""Checks a period's folder from end to end: bytes, signatures, verdict, weights, amounts, journal, what lies beside.

Everything is recomputed from the folder alone. What was decided outside it (pool, κ, gate, who may close) is read
from its manifest: compare that with what was agreed. `continuity.py` holds the folder against the workspace's ledger.
"""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tribute.artifacts import MANIFEST, SEAL, Artifact, verify_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.gate import VERDICT, judge
from tribute.rewards.period.folder import Opened
from tribute.rewards.period.signatures import verify_seal
from tribute.rewards.verification import file_checks, money_checks


def verify_period(folder: Path) -> list[str]:
    """Check `rewards/<period>/`; returns a sentence for each check. Raises IntegrityError naming the file."""
    return verified(folder)[1]


def verified(folder: Path) -> tuple[Opened, list[str]]:
    """The same, with what was read, so that the checks in its workspace need not read it again."""
    artifact = _verify_files(folder)
    read = Opened.of(artifact)
    checks: tuple[Callable[[Opened], str], ...] = (
        _check_seal,
        _check_verdict,
        money_checks.check_funding,
        money_checks.check_weights,
        money_checks.check_amounts,
        money_checks.check_journal,
        money_checks.check_balances,
        money_checks.check_payables,
        _check_evidence,
        _check_exclusions,
        file_checks.check_totals,
        file_checks.check_leaves,
        file_checks.check_beside,
    )
    try:
        files = f"{len(artifact.identity['files'])} files have the sha256 that the manifest lists"
        return read, [files, *(check(read) for check in checks)]
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RewardError) as error:
        raise IntegrityError(f"{folder}: holds a value that cannot be read ({error}); make the period again") from error


def _verify_files(folder: Path) -> Artifact:
    artifact = verify_artifact(folder)
    if artifact.kind != "rewards":
        raise IntegrityError(f"{folder / MANIFEST}: kind {artifact.kind}, expected rewards; give a period's folder")
    return artifact


def _check_seal(read: Opened) -> str:
    if not (read.folder / SEAL).exists():
        return "it is a draft: nobody has signed it, and it may be made again"
    signers = verify_seal(read.artifact)
    return f"it is closed, signed by {' and '.join(signers)} with the keys that the manifest names"


def _check_verdict(read: Opened) -> str:
    card: Any = json.loads((read.folder / "card.json").read_text(encoding="utf-8"))
    verdict = judge(card, read.policy.gate)
    if read.verdict != verdict.document():
        raise IntegrityError(
            f"{read.folder / VERDICT}: not what card.json and the policy's gate say, which is to pay by "
            f"{verdict.rule}; make the period again"
        )
    found = "passes" if verdict.passed else f"fails ({verdict.failed})"
    return f"the attribution card {found}, judged anew by the policy's gate: paid by {verdict.rule}"


def _check_evidence(read: Opened) -> str:
    """Pools that pay by query have their own scores, which --deep recomputes."""
    path = read.folder / "evidence.parquet"
    by_shares = [row for row in read.allocation if read.policy.pools[row["pool"]].pays == "shares"]
    scores = {row["contributor_id"]: Decimal(row["score"]) for row in by_shares}
    if by_shares and (wrong := evidences.mismatches(evidences.sums(read.evidence), scores)):
        raise IntegrityError(f"{path}: {wrong[0]}; make the period again")
    digests = evidences.digests(read.evidence)
    for row in read.allocation:
        if row["evidence_sha256"] != digests.get(row["contributor_id"], evidences.NO_EVIDENCE):
            raise IntegrityError(
                f"{path}: {row['contributor_id']}: not the evidence whose sha256 allocation.csv carries; "
                "make the period again"
            )
    return f"{read.evidence.num_rows} lines of evidence sum to the scores within 1e-9 nats"


def _check_exclusions(read: Opened) -> str:
    path = read.folder / "exclusions.csv"
    counts = Counter(row["contributor_id"] for row in read.exclusions)
    for row in read.allocation:
        if counts.get(row["contributor_id"], 0) != int(row["rows_excluded"]):
            raise IntegrityError(
                f"{path}: {counts.get(row['contributor_id'], 0)} rows of {row['contributor_id']}, allocation.csv says "
                f"{row['rows_excluded']}; make the period again"
            )
    if strangers := counts.keys() - {row["contributor_id"] for row in read.allocation}:
        raise IntegrityError(f"{path}: {min(strangers)} is not in allocation.csv; make the period again")
    return f"{len(read.exclusions)} excluded rows are counted on their contributors' lines"
