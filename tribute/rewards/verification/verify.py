"""Checks a period's folder from end to end: bytes, signatures, verdict, weights, amounts, journal, what lies beside.

Everything is recomputed from the folder alone. What was decided outside it (pool, κ, gate, who may close) is read
from its manifest: compare that with what was agreed. `continuity.py` holds the folder against the workspace's ledger.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tribute.artifacts import MANIFEST, SEAL, Artifact, verify_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.gate import VERDICT, judge
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.period.signatures import verify_seal
from tribute.rewards.verification import file_checks, money_checks
from tribute.strict import parse_json


def verify_period(folder: Path) -> list[str]:
    """Check `rewards/<period>/`; returns a sentence for each check. Raises IntegrityError naming the file."""
    return verified(folder)[1]


def verified(folder: Path) -> tuple[PeriodFolder, list[str]]:
    """The same, with what was read, so that the checks in its workspace need not read it again."""
    artifact, read = _verify_files(folder), PeriodFolder(folder)
    checks: tuple[Callable[[PeriodFolder], str], ...] = (
        _check_seal,
        _check_verdict,
        money_checks.check_funding,
        money_checks.check_payers,
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
        return read, [files, *filter(None, (check(read) for check in checks))]
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RewardError) as error:
        raise IntegrityError(f"{folder}: holds a value that cannot be read ({error}); make the period again") from error


def _verify_files(folder: Path) -> Artifact:
    artifact = verify_artifact(folder)
    if artifact.kind != "rewards":
        raise IntegrityError(f"{folder / MANIFEST}: kind {artifact.kind}, expected rewards; give a period's folder")
    return artifact


def _check_seal(read: PeriodFolder) -> str:
    if not (read.path / SEAL).exists():
        return "it is a draft: nobody has signed it, and it may be made again"
    signers = verify_seal(read.artifact)
    return f"it is closed, signed by {' and '.join(signers)} with the keys that the manifest names"


def _check_verdict(read: PeriodFolder) -> str:
    verdict = judge(read.card, read.policy.gate, read.policy.fallback)
    if parse_json((read.path / VERDICT).read_text(encoding="utf-8")) != verdict.document():
        raise IntegrityError(
            f"{read.path / VERDICT}: not what card.json and the policy's gate say, which is to pay by "
            f"{verdict.rule}; make the period again"
        )
    if verdict.record != {name: value for name, value in read.config.items() if name in verdict.record}:
        raise read.wrong("manifest.json", f"its reliability is not {verdict.reliability}, that of gate.json")
    if verdict.reliability is not None:
        return f"the attribution card, judged anew by the policy's gate, counts {verdict.reliability}: paid by blend"
    found = "passes" if verdict.passed else f"fails ({verdict.failed})"
    return f"the attribution card {found}, judged anew by the policy's gate: paid by {verdict.rule}"


def _check_evidence(read: PeriodFolder) -> str:
    """Pools that pay by query have their own scores, which --deep recomputes."""
    path = read.path / "evidence.parquet"
    by_shares = [row for row in read.allocation if read.policy.pools[row.pool].pays == "shares"]
    scores = {row.contributor_id: row.score for row in by_shares}
    if by_shares and (wrong := evidences.mismatches(evidences.sums(read.evidence), scores)):
        raise IntegrityError(f"{path}: {wrong[0]}; make the period again")
    digests = evidences.digests(read.evidence)
    for row in read.allocation:
        if row.evidence_sha256 != digests.get(row.contributor_id, evidences.NO_EVIDENCE):
            raise IntegrityError(
                f"{path}: {row.contributor_id}: not the evidence whose sha256 allocation.csv carries; "
                "make the period again"
            )
    return f"{read.evidence.num_rows} lines of evidence sum to the scores within 1e-9 nats"


def _check_exclusions(read: PeriodFolder) -> str:
    path = read.path / "exclusions.csv"
    counts = Counter(row.contributor_id for row in read.exclusions)
    for row in read.allocation:
        if counts[row.contributor_id] != row.rows_excluded:
            raise IntegrityError(
                f"{path}: {counts[row.contributor_id]} rows of {row.contributor_id}, allocation.csv says "
                f"{row.rows_excluded}; make the period again"
            )
    if strangers := counts.keys() - {row.contributor_id for row in read.allocation}:
        raise IntegrityError(f"{path}: {min(strangers)} is not in allocation.csv; make the period again")
    return f"{len(read.exclusions)} excluded rows are counted on their contributors' lines"
