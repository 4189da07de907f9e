"""What a contributor gets back: every row of the file, accepted or not and why, with the proof of priority.

A receipt holds hashes and reasons, no texts: it may be kept after the rows are erased. It says what the registry
knew when the contribution came; a release screens again, with all rows that are there then.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tribute.contributions.intake.ingest import Fault
from tribute.contributions.intake.submissions import CheckedSubmission
from tribute.contributions.registry import row_hashes
from tribute.contributions.registry.paths import meta_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening import screen
from tribute.contributions.screening.findings import Finding
from tribute.files import write_atomically, write_json

TEMPLATE = Path(__file__).parent / "receipt.html"
SHOWN = 200
"""Rows with a reason that the page lists; the JSON has every row."""
VERDICTS = {"exclude": "rejected", "hold": "review", "flag": "review"}


def write_receipts(
    registry: Registry, folder: Path, now: Snapshot, recorded: Sequence[tuple[Contribution, CheckedSubmission]]
) -> list[dict[str, Any]]:
    """`<id>.json` and `<id>.html` in `folder` for each contribution; returns the contents of the JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    receipts = []
    for contribution, checked in recorded:
        lines = [int(line) for line in checked.taken.lines.read_text(encoding="ascii").split()]
        receipt = _receipt(registry, now, contribution, lines, checked.taken.faults)
        receipts.append(receipt)
        write_json(folder / f"{contribution.id}.json", receipt, indent=1)
        write_atomically(folder / f"{contribution.id}.html", page(receipt).encode())
    return receipts


def page(receipt: dict[str, Any]) -> str:
    """The receipt for people: one page without scripts that prints well."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    reasons = [row for row in receipt["rows"] if row["reasons"]]
    return template.render(receipt=receipt, rows=reasons[:SHOWN], more=max(0, len(reasons) - SHOWN))


def _receipt(
    registry: Registry, now: Snapshot, one: Contribution, lines: Sequence[int], faults: Sequence[Fault]
) -> dict[str, Any]:
    rows = registry.rows_of(one, now.schema(one.dataset))
    row_hashes.keep(registry, one, rows)
    found: dict[str, list[Finding]] = {}
    for finding in _findings(registry, now, one, rows):
        found.setdefault(finding.row.row_id, []).append(finding)
    described = [*_good(rows, lines, found), *(_faulty(fault) for fault in faults)]
    entry = now.live[one.id]
    return {
        "contribution": one.id,
        "contributor": one.contributor_id,
        "dataset": one.dataset,
        "licence": one.licence,
        "terms": one.terms,
        "signed_by": (one.signature or {}).get("key"),
        "recorded_at": registry.repository.time_of(meta_path(one.id)),
        "ledger_seq": entry.seq,
        "ledger_hash": entry.entry_hash,
        "rows_sha256": one.sha256,
        "verdicts": dict(sorted(Counter(row["verdict"] for row in described).items())),
        "reasons": dict(sorted(Counter(reason["code"] for row in described for reason in row["reasons"]).items())),
        "rows": sorted(described, key=lambda row: row["line"]),
    }


def _findings(registry: Registry, now: Snapshot, one: Contribution, rows: list[ContributedRow]) -> Iterator[Finding]:
    """What can be said of these rows at once: against all earlier hashes, the evaluation, and each for itself."""
    schema, policy = now.schema(one.dataset), now.policy(one.dataset)
    evaluation = registry.evaluation_rows(now, one.dataset) if now.evaluation_md5(one.dataset) else []
    before = row_hashes.earlier(registry, now, one, rows)
    alone = policy.model_copy(update={"near_duplicate": None, "length": None})
    own = {id(row) for row in rows}
    for finding in screen.find_exact([*before, *rows], schema):
        if id(finding.row) in own:
            yield finding
    yield from screen.find_single(rows, evaluation, schema, alone)


def _good(
    rows: Sequence[ContributedRow], lines: Sequence[int], found: dict[str, list[Finding]]
) -> Iterator[dict[str, Any]]:
    for row, line in zip(rows, lines, strict=True):
        reasons = found.get(row.row_id, [])
        verdicts = [VERDICTS[one.action] for one in reasons]
        yield {
            "line": line,
            "row_id": row.row_id,
            "text_sha256": row.text_sha256,
            "content_sha256": row.content_sha256,
            "verdict": "rejected" if "rejected" in verdicts else "review" if verdicts else "accepted",
            "reasons": [_reason(one) for one in reasons],
        }


def _reason(one: Finding) -> dict[str, Any]:
    # Which sealed row it is, a contributor had better not know.
    canonical = None if one.reason == "near_evaluation" else one.canonical
    return {
        "code": one.reason,
        "canonical_row_id": canonical.row_id if canonical else None,
        "similarity": one.similarity,
        "threshold": one.threshold,
        "detector": one.detector,
        "evidence": one.evidence,
    }


def _faulty(fault: Fault) -> dict[str, Any]:
    nothing = {"row_id": None, "text_sha256": None, "content_sha256": None}
    reason = {"code": "schema", "canonical_row_id": None, "evidence": fault.message}
    return {"line": fault.line, **nothing, "verdict": "rejected", "reasons": [reason]}
