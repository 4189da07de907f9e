"""What a contributor gets back: every row of the file, accepted or not and why, with the proof of priority.

A receipt holds hashes and reasons, no texts, so it may be kept after the rows are erased. It says what the registry
knew when the contribution was recorded; a release screens again, with all rows that are there then. Of the sealed
evaluation it says nothing, not even how many rows come too close: files of one row would read it out row by row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tribute.contributions.intake.ingest import Fault
from tribute.contributions.intake.submissions import CheckedSubmission
from tribute.contributions.registry.log import Entry
from tribute.contributions.registry.paths import meta_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.row_hashes import earlier_rows, keep_hashes
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.releases import Tokenizer, named_ids
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening import BY_CODE, FOLLOWS, Finding, Screening, find_exact, find_single
from tribute.files import write_atomically, write_json

SHOWN = 200
"""Rows with a reason that the page lists; the JSON has every row."""
VERDICTS = {"exclude": "rejected", "hold": "review", "flag": "review"}


def write_receipts(
    registry: Registry,
    folder: Path,
    now: Snapshot,
    recorded: Sequence[tuple[Contribution, CheckedSubmission]],
    tokenizer: Tokenizer | None = None,
) -> list[dict[str, Any]]:
    """`<id>.json` and `<id>.html` in `folder` for each contribution; returns the contents of the JSON files.

    With the tokenizer that the schema names, rows are compared as the base model reads them, too. Raises RegistryError
    for another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    receipts = []
    for contribution, checked in recorded:
        lines = [int(line) for line in checked.intake.lines.read_text(encoding="ascii").split()]
        rows = registry.rows_of(contribution, now.schema(contribution.dataset))
        keep_hashes(registry, contribution, rows)
        findings = _findings(registry, now, contribution, rows, tokenizer)
        described = _described(rows, findings, lines, checked.intake.faults)
        receipt = _receipt(registry, now, contribution, described)
        receipts.append(receipt)
        write_json(folder / f"{contribution.id}.json", receipt, indent=1)
        write_atomically(folder / f"{contribution.id}.html", page(receipt).encode())
    return receipts


def page(receipt: Mapping[str, Any]) -> str:
    """The receipt for people: one page without scripts that prints well."""
    from tribute.html import template

    rows = [row for row in receipt["rows"] if row["reasons"]]
    reasons = {
        code: {"words": f"This row {reason.words}.", "follows": FOLLOWS[reason.action], "advice": reason.advice}
        for code, reason in BY_CODE.items()
    }
    reasons["schema"] = {
        "words": "This row is faulty.",
        "follows": "left out",
        "advice": "Correct it and contribute it.",
    }
    more = max(0, len(rows) - SHOWN)
    page_template = template("tribute.contributions.cards", "receipt.html")
    return page_template.render(receipt=receipt, rows=rows[:SHOWN], more=more, reasons=reasons)


def _described(
    rows: Sequence[ContributedRow], findings: Iterable[Finding], lines: Sequence[int], faults: Sequence[Fault]
) -> list[dict[str, Any]]:
    """Every row of the file in its order."""
    reasons: dict[str, list[Finding]] = {}
    for finding in findings:
        reasons.setdefault(finding.row.row_id, []).append(finding)
    described = [*_good(rows, lines, reasons), *(_faulty(fault) for fault in faults)]
    return sorted(described, key=lambda row: row["line"])


def _receipt(
    registry: Registry, now: Snapshot, contribution: Contribution, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    entry = now.live[contribution.id]
    return {
        "contribution": contribution.id,
        "contributor": contribution.contributor_id,
        "dataset": contribution.dataset,
        "licence": contribution.licence,
        "terms": contribution.terms,
        "signed_by": (contribution.signature or {}).get("key"),
        "recorded_at": registry.repository.time_of(meta_path(contribution.id)),
        "ledger_seq": entry.seq,
        "ledger_hash": entry.entry_hash,
        "commitment": _commitment(now, entry),
        "rows_sha256": contribution.sha256,
        "verdicts": dict(sorted(Counter(row["verdict"] for row in rows).items())),
        "reasons": dict(sorted(Counter(reason["code"] for row in rows for reason in row["reasons"]).items())),
        "rows": rows,
    }


def _commitment(now: Snapshot, entry: Entry) -> dict[str, Any] | None:
    """The log's entry of the commitment that was revealed, and the version whose release cost its place, if one did."""
    root = entry.details.get("commitment")
    if root is None:
        return None
    committed = now.commitments[root]
    return {
        "root": root,
        "ledger_seq": committed.seq,
        "ledger_hash": committed.entry_hash,
        "lost_place_to": now.released_since(committed, entry.seq) or None,
    }


def _findings(
    registry: Registry,
    now: Snapshot,
    contribution: Contribution,
    rows: list[ContributedRow],
    tokenizer: Tokenizer | None,
) -> Iterator[Finding]:
    """What can be said of these rows at once: against all earlier rows, and each for itself; never what is sealed."""
    schema, policy = now.schema(contribution.dataset), now.policy(contribution.dataset)
    keys = None if tokenizer is None else named_ids(schema, tokenizer)
    earlier = earlier_rows(registry, now, contribution, rows) if keys is None else _read(registry, now, contribution)
    new = {id(row) for row in rows}
    for finding in find_exact(Screening([*earlier, *rows], [], schema, policy, token_keys=keys)):
        if id(finding.row) in new:
            yield finding
    yield from find_single(Screening(rows, [], schema, policy, token_keys=keys))


def _read(registry: Registry, now: Snapshot, contribution: Contribution) -> list[ContributedRow]:
    """All rows of earlier contributions, with their texts: a tokenizer needs these, hashes do not do."""
    dataset = contribution.dataset
    earlier = [other for other in now.contributions(dataset) if other.seq < contribution.seq]
    return [row for other in earlier for row in registry.rows_of(other, now.schema(dataset))]


def _good(
    rows: Sequence[ContributedRow], lines: Sequence[int], findings: Mapping[str, Sequence[Finding]]
) -> Iterator[dict[str, Any]]:
    for row, line in zip(rows, lines, strict=True):
        reasons = findings.get(row.row_id, [])
        verdicts = [VERDICTS[finding.action] for finding in reasons]
        yield {
            "line": line,
            "row_id": row.row_id,
            "text_sha256": row.text_sha256,
            "content_sha256": row.content_sha256,
            "verdict": "rejected" if "rejected" in verdicts else "review" if verdicts else "accepted",
            "reasons": [_reason(finding) for finding in reasons],
        }


def _reason(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.reason,
        "canonical_row_id": finding.canonical.row_id if finding.canonical else None,
        "similarity": finding.similarity,
        "threshold": finding.threshold,
        "detector": finding.detector,
        "evidence": finding.evidence,
    }


def _faulty(fault: Fault) -> dict[str, Any]:
    hashes = {"row_id": None, "text_sha256": None, "content_sha256": None}
    reason = {"code": "schema", "canonical_row_id": None, "evidence": fault.message}
    return {"line": fault.line, **hashes, "verdict": "rejected", "reasons": [reason]}
