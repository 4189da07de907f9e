"""Which rows of a version may not be learned from, and which wait for a person, decided before any training.

Each check is a function of its own module that gives rows one reason; `findings.ACTIONS` says what follows. Rows
come in the order of the ledger; the earliest of equal rows is canonical. Knows nothing of git, DVC or files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tribute.contributions.rows import ContributedRow, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.contamination import near_evaluation
from tribute.contributions.screening.exact_duplicates import conflicting_labels, duplicates
from tribute.contributions.screening.findings import ACTIONS, FINAL, Decision, Encoder, Finding
from tribute.contributions.screening.label_noise import odd_labels
from tribute.contributions.screening.language import language
from tribute.contributions.screening.near_duplicates import near_duplicates
from tribute.contributions.screening.outliers import repetitive, unusual_length
from tribute.contributions.screening.paraphrases import paraphrases
from tribute.contributions.screening.personal_data import rows_with_personal_data, rows_with_secrets
from tribute.contributions.screening.policy import BASIC, ScreeningPolicy

__all__ = ["ContributedRow", "Encoder", "Finding", "contributed"]

EXACT = ("duplicate", "conflicting_label", "near_evaluation")
"""Rows that are out for one of these are no row's near duplicate any more."""
RANK = {reason: place for place, reason in enumerate(ACTIONS)}
Rows = Sequence[ContributedRow]


def screen(rows: Rows, evaluation: Rows, schema: DatasetSchema, policy: ScreeningPolicy = BASIC) -> list[Finding]:
    """Every row that is excluded as long as nobody has decided anything, in the order of `rows`."""
    return excluded(rows, find(rows, evaluation, schema, policy), {})


def find(
    rows: Rows, evaluation: Rows, schema: DatasetSchema, policy: ScreeningPolicy, encoder: Encoder | None = None
) -> list[Finding]:
    """Everything that the checks find, check by check; a row may have several reasons."""
    is_labelled = schema.task == "sequence-classification"
    found = [*find_exact(rows, schema), *find_single(rows, evaluation, schema, policy)]
    if policy.near_duplicate is not None:
        # What is out already proves nothing about a later row.
        places = {id(row): place for place, row in enumerate(rows)}
        out = {places[id(one.row)] for one in found if one.reason in EXACT}
        found += near_duplicates(rows, policy.near_duplicate, same_target=is_labelled, skip=out)
    if encoder is not None and policy.paraphrase is not None:
        found += paraphrases(rows, encoder, policy.paraphrase, same_target=is_labelled)
    if encoder is not None and is_labelled and policy.label_neighbours is not None:
        found += odd_labels(rows, encoder, policy.label_neighbours)
    return found


def find_exact(rows: Rows, schema: DatasetSchema) -> list[Finding]:
    """What hashes alone tell: duplicates, and for classification conflicting labels."""
    is_labelled = schema.task == "sequence-classification"
    return [*duplicates(rows), *(conflicting_labels(rows) if is_labelled else ())]


def find_single(rows: Rows, evaluation: Rows, schema: DatasetSchema, policy: ScreeningPolicy) -> list[Finding]:
    """What can be said of each row without the other contributors' rows."""
    found = list(near_evaluation(rows, evaluation, schema.near_evaluation)) if evaluation else []
    return found + [finding for check in _of_single_rows(policy, schema) for finding in check(rows)]


def excluded(rows: Rows, findings: Sequence[Finding], decisions: Mapping[str, Decision]) -> list[Finding]:
    """The finding by which each row is left out, in the order of `rows`.

    A rejected row is out, an accepted one is in unless its reason is final.
    """
    reasons: dict[str, Finding] = {}
    by_id = {row.row_id: row for row in rows} if decisions else {}
    for row_id, decision in decisions.items():
        if decision.verdict == "reject" and row_id in by_id:
            evidence = f"rejected by {decision.by}: {decision.why}"
            reasons[row_id] = Finding(by_id[row_id], "rejected", None, 1.0, 1.0, "person", evidence)
    for one in findings:
        row_id = one.row.row_id
        decided = decisions.get(row_id)
        accepted = decided is not None and decided.verdict == "accept" and one.reason not in FINAL
        if one.action == "flag" or accepted:
            continue
        if row_id not in reasons or RANK[one.reason] < RANK[reasons[row_id].reason]:
            reasons[row_id] = one
    return [reasons[row.row_id] for row in rows if row.row_id in reasons] if reasons else []


def waiting(findings: Sequence[Finding], decisions: Mapping[str, Decision]) -> list[Finding]:
    """What a person has still to decide: held and flagged rows that are not out for a reason of their own."""
    out = {one.row.row_id for one in findings if one.action == "exclude"}
    return [
        one
        for one in findings
        if one.action != "exclude" and one.row.row_id not in out and one.row.row_id not in decisions
    ]


def _of_single_rows(policy: ScreeningPolicy, schema: DatasetSchema) -> Iterator[Callable[[Rows], Iterator[Finding]]]:
    """The checks that the policy asks for and that compare no rows with each other."""
    if policy.secrets:
        yield rows_with_secrets
    if policy.personal_data:
        yield rows_with_personal_data
    if policy.language is not None and schema.languages:
        certainty, languages = policy.language, schema.languages
        yield lambda rows: language(rows, languages, certainty)
    if policy.length is not None:
        deviations = policy.length
        yield lambda rows: unusual_length(rows, deviations)
    if policy.compressibility is not None:
        share = policy.compressibility
        yield lambda rows: repetitive(rows, share)
