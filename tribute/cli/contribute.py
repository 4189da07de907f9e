"""Contribute rows to a dataset: all files are recorded, or none. Receipts are in receipts/."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import (
    HERE,
    Columns,
    DryRun,
    FileFormat,
    OptionalKeyFile,
    SkipFaulty,
    TokenizerFolder,
    WorkspaceFolder,
    columns_of,
)
from tribute.cli._output import Output
from tribute.errors import ConfigError

if TYPE_CHECKING:
    from tribute.contributions.intake import CheckedSubmission, Submission
    from tribute.contributions.registry import Contribution, Registry, Snapshot
    from tribute.workspace import Workspace


class Receipt(TypedDict):
    contribution: str
    rows: int
    log_seq: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    receipt: str
    counts_from: int
    lost_place_to: str | None
    unchanged: list[str]


class Recorded(TypedDict):
    contributions: list[Receipt]


class Sealed(TypedDict):
    evaluation: str
    rows: int


class FaultyRow(TypedDict):
    line: int
    fault: str


class CheckedFile(TypedDict):
    contribution: str
    rows: int
    sha256: str
    faults: list[FaultyRow]


class Checked(TypedDict):
    files: list[CheckedFile]


class CheckedEvaluation(TypedDict):
    evaluation: str
    rows: int
    sha256: str


Contributed = Recorded | Sealed | Checked | CheckedEvaluation


@command
def contribute(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL, JSON, CSV or Parquet files of rows.")],
    contributor: Annotated[str, typer.Option(metavar="ID", help="The contributor's id, a pseudonym.")],
    dataset: Annotated[str, typer.Option(metavar="NAME", help="The dataset's name.")],
    licence: Annotated[str, typer.Option(metavar="SPDX", help="An SPDX expression, such as CC-BY-4.0.")],
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML schema; declares the dataset first.")
    ] = None,
    evaluation: Annotated[
        bool, typer.Option("--evaluation", help="The rows are the dataset's sealed evaluation.")
    ] = False,
    map_: Columns = None,
    format_: FileFormat = None,
    skip_faulty: SkipFaulty = False,
    terms: Annotated[Path | None, typer.Option(metavar="FILE", help="YAML file: consent, purposes, expires.")] = None,
    reveal: Annotated[
        Path | None,
        typer.Option(metavar="OPENING", help="The rows keep a commitment, and count from it before the next release."),
    ] = None,
    key: OptionalKeyFile = None,
    tokenizer: TokenizerFolder = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Contributed]:
    from tribute.contributions.intake import Submission
    from tribute.contributions.registry import Registry
    from tribute.contributions.schema import load_schema
    from tribute.contributions.terms import load_terms
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    if evaluation and len(files) > 1:
        raise ConfigError(f"--evaluation takes one file, found {len(files)}; put all evaluation rows into one")
    if reveal and (evaluation or len(files) > 1):
        raise ConfigError("--reveal OPENING belongs to one file of contributed rows; give one, and no --evaluation")
    declared = None if schema is None else load_schema(schema)
    columns, consent = columns_of(map_), load_terms(terms) if terms else None
    submissions = [
        Submission(
            *(file, contributor, dataset, licence),
            columns=columns,
            format=format_,
            skip_faulty=skip_faulty,
            terms=consent,
            key=key,
            opening=reveal,
        )
        for file in files
    ]
    if dry_run or declared is not None or evaluation:
        # Before anything is recorded: a slip in the last file must not leave the schema behind.
        checked = registry.check(submissions, declared)
        if dry_run:
            return _would_record(checked, evaluation)
    if declared is not None:
        registry.declare(declared)
    if evaluation:
        rows = registry.seal_evaluation(dataset, submissions[0])
        return Output({"evaluation": dataset, "rows": rows}, [f"sealed the evaluation of {dataset}"])
    return _record(home, registry, submissions, tokenizer)


def _record(
    home: "Workspace", registry: "Registry", submissions: "Sequence[Submission]", tokenizer: Path | None
) -> Output[Contributed]:
    from tribute.cli._tokenizer import named_tokenizer
    from tribute.contributions.cards import write_receipts
    from tribute.contributions.rights import changed_conditions

    reads = named_tokenizer(registry, submissions[0].dataset, tokenizer)
    receipts: list[dict[str, Any]] = []
    unchanged: list[list[str]] = []

    def report(now: "Snapshot", pairs: "Sequence[tuple[Contribution, CheckedSubmission]]") -> None:
        receipts.extend(write_receipts(registry, home.receipts, now, pairs, reads))
        unchanged.extend(changed_conditions(contribution, submitted) for contribution, submitted in pairs)

    recorded = registry.contribute(submissions, report)
    data: list[Receipt] = [
        {
            "contribution": contribution.id,
            "rows": contribution.rows,
            "log_seq": receipt["ledger_seq"],
            "verdicts": receipt["verdicts"],
            "reasons": receipt["reasons"],
            "receipt": str(home.receipts / f"{contribution.id}.html"),
            "counts_from": contribution.seq,
            "lost_place_to": (receipt["commitment"] or {}).get("lost_place_to"),
            "unchanged": notes,
        }
        for contribution, receipt, notes in zip(recorded, receipts, unchanged, strict=True)
    ]
    lines = [line for record in data for line in _lines(record)]
    if reads is None and registry.snapshot().schema(submissions[0].dataset).tokenizer:
        lines.append("not compared as the base model reads them, which the release does: give --tokenizer to know now")
    return Output({"contributions": data}, lines)


def _lines(record: Receipt) -> list[str]:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in record["verdicts"].items())
    lines = [f"{record['contribution']}: {verdicts}; log entry {record['log_seq']}, receipt {record['receipt']}"]
    if record["counts_from"] != record["log_seq"]:
        lines.append(f"{record['contribution']}: counts from its commitment, log entry {record['counts_from']}")
    if tag := record["lost_place_to"]:
        lines.append(f"{record['contribution']}: its commitment has lost its place, since {tag} was released before")
    return [*lines, *(f"{record['contribution']}: {note}" for note in record["unchanged"])]


def _would_record(checked: "Sequence[CheckedSubmission]", evaluation: bool) -> Output[Contributed]:
    if evaluation:
        (rows,) = checked
        sealed: CheckedEvaluation = {"evaluation": rows.submission.dataset, "rows": rows.rows, "sha256": rows.sha256}
        return Output(sealed, [f"would seal the evaluation of {sealed['evaluation']}: {rows.rows} rows"])
    files: list[CheckedFile] = [
        {
            "contribution": file.id,
            "rows": file.rows,
            "sha256": file.sha256,
            "faults": [{"line": fault.line, "fault": fault.message} for fault in file.intake.faults],
        }
        for file in checked
    ]
    return Output({"files": files}, [line for file in checked for line in _would_record_file(file)])


def _would_record_file(file: "CheckedSubmission") -> list[str]:
    from tribute.contributions.intake import grouped
    from tribute.formatting import counted

    left_out = [f"would leave out {group}" for group in grouped(file.intake.faults)]
    return [f"would record {file.id}: {counted(file.rows, 'row')}", *left_out]
