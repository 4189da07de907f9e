"""Which rows of a version may not be learned from, and which wait for a person, decided before any training.

Rows come in the order of the registry's log; the earliest of equal rows is canonical. Knows nothing of git, DVC or
files.
"""

from collections.abc import Sequence
from dataclasses import replace

from tribute.contributions.screening import (
    contamination,
    exact_duplicates,
    following,
    label_noise,
    language,
    near_duplicates,
    outliers,
    paraphrases,
    personal_data,
    secrets,
)
from tribute.contributions.screening.findings import (
    AFTER_SEALING,
    HARMFUL,
    REJECTED,
    TERMS,
    Action,
    Decisions,
    Finding,
    Reason,
    Rows,
    Screening,
)

CHECKS = (
    exact_duplicates.DUPLICATE_CHECK,
    exact_duplicates.CONFLICT_CHECK,
    contamination.CHECK,
    near_duplicates.CHECK,
    following.CHECK,
    contamination.HITS_CHECK,
    secrets.CHECK,
    personal_data.CHECK,
    language.CHECK,
    outliers.LENGTH_CHECK,
    outliers.REPETITION_CHECK,
    paraphrases.CHECK,
    label_noise.CHECK,
)
"""Every check. To add one, write its file, add its line here, and its threshold, if it has one, to policy.py.

They stand in the order of their reasons: of several, a row's first is the one it is left out for."""
EXACT = ("duplicate", "conflicting_label", "near_evaluation")
"""Rows that are out for one of these are no other row's near duplicate."""
BY_CODE: dict[str, Reason] = {
    reason.code: reason for reason in (REJECTED, TERMS, AFTER_SEALING, *(check.reason for check in CHECKS), HARMFUL)
}
"""Reason code → reason."""
FOLLOWS: dict[Action, str] = {
    "exclude": "left out",
    "hold": "waits for review",
    "flag": "counts, unless a reviewer rejects it",
}
ACTIONS: dict[str, Action] = {code: reason.action for code, reason in BY_CODE.items()}
REASONS: dict[str, str] = {
    code: reason.words + ("; waits for review" if reason.action == "hold" else "") for code, reason in BY_CODE.items()
}
"""Reason code → what it says of a row, for people: "This row …"."""
FINAL = tuple(code for code, reason in BY_CODE.items() if reason.final)
"""Reasons that no acceptance outweighs."""
RANK = {code: place for place, code in enumerate(BY_CODE)}


def find(screening: Screening) -> list[Finding]:
    """Everything that the checks find, check by check; a row may have several reasons."""
    findings = [*find_exact(screening), *find_single(screening)]
    places = {id(row): place for place, row in enumerate(screening.rows)}
    out = {reason: [places[id(item.row)] for item in findings if item.reason == reason] for reason in EXACT}
    near = frozenset(out["near_evaluation"])
    rest = replace(screening, out=near.union(*out.values()), near_evaluation=near)
    return findings + [
        finding for check in CHECKS if check.needs in ("rows", "meaning") for finding in check.find(rest)
    ]


def find_exact(screening: Screening) -> list[Finding]:
    """What hashes alone tell: duplicates, and for classification conflicting labels."""
    return [finding for check in CHECKS if check.needs == "hashes" for finding in check.find(screening)]


def find_single(screening: Screening) -> list[Finding]:
    """What can be said of each row without the other contributors' rows."""
    return [finding for check in CHECKS if check.needs == "row" for finding in check.find(screening)]


def excluded(rows: Rows, findings: Sequence[Finding], decisions: Decisions) -> list[Finding]:
    """The finding by which each row is left out, in the order of `rows`.

    A rejected row is out, an accepted one is in unless its reason is final.
    """
    reasons: dict[str, Finding] = {}
    by_id = {row.row_id: row for row in rows} if decisions else {}
    for row_id, decision in decisions.items():
        if decision.verdict == "reject" and row_id in by_id:
            evidence = f"rejected by {decision.by}: {decision.why}"
            reasons[row_id] = Finding(by_id[row_id], REJECTED, None, 1.0, 1.0, "person", evidence)
    for finding in findings:
        row_id = finding.row.row_id
        decided = decisions.get(row_id)
        accepted = decided is not None and decided.verdict == "accept" and finding.reason not in FINAL
        if finding.action == "flag" or accepted:
            continue
        if row_id not in reasons or RANK[finding.reason] < RANK[reasons[row_id].reason]:
            reasons[row_id] = finding
    return [reasons[row.row_id] for row in rows if row.row_id in reasons] if reasons else []


def waiting(findings: Sequence[Finding], decisions: Decisions) -> list[Finding]:
    """What a person has still to decide: held and flagged rows that are not excluded for another reason."""
    out = {finding.row.row_id for finding in findings if finding.action == "exclude"}
    return [
        finding
        for finding in findings
        if finding.action != "exclude" and finding.row.row_id not in out and finding.row.row_id not in decisions
    ]
