"""One pass over a file that somebody hands in: every row checked, the good ones written beside as JSON lines.

Constant memory: what was read is on disk before the next row comes. Knows nothing of the registry.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.contributions.intake.readers import FORMATS, Raw, read
from tribute.contributions.intake.values import RowError, check_values, longest_row
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

DATA = "data.jsonl"
LINES = "lines.jsonl"
FAULTS_KEPT = 10_000
"""Faults that a receipt can list; a file with more is not what the dataset asks for, and refused."""


@dataclass(frozen=True)
class Fault:
    """A row that was left out: its line in the file, and why."""

    line: int
    message: str


@dataclass(frozen=True)
class IntakeResult:
    """What a file held. `data` are the good rows, `sha256` their hash; `lines` maps each to its line in the file."""

    data: Path
    lines: Path
    rows: int
    sha256: str
    faults: tuple[Fault, ...]


def ingest(
    file: Path,
    schema: DatasetSchema,
    folder: Path,
    columns: Mapping[str, str] | None = None,
    *,
    skip_faulty: bool = False,
) -> IntakeResult:
    """Read the file once into `folder`. `columns` maps a column of the schema to the file's name for it.

    Raises ContributionError for the first faulty row, or with `skip_faulty` where no row is good.
    """
    digest, rows, faults = hashlib.sha256(), 0, list[Fault]()
    data, lines = folder / DATA, folder / LINES
    with data.open("wb") as kept, lines.open("w", encoding="ascii") as places:
        for raw, values, message in _checked(file, schema, columns or {}):
            if values is None:
                faults.append(_fault(file, raw, message, skip_faulty, len(faults)))
                continue
            line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            kept.write(line)
            places.write(f"{raw.line}\n")
            rows += 1
    if not rows:
        first = faults[0]
        raise ContributionError(f"{file}: no row is good; the first fault: {file}:{first.line}: {first.message}")
    return IntakeResult(data, lines, rows, digest.hexdigest(), tuple(faults))


def _fault(file: Path, raw: Raw, message: str, skip_faulty: bool, before: int) -> Fault:
    if not skip_faulty:
        raise ContributionError(f"{file}:{raw.line}: {message}")
    if before >= FAULTS_KEPT:
        raise ContributionError(f"{file}:{raw.line}: more than {FAULTS_KEPT} faulty rows; see --dry-run for the first")
    return Fault(raw.line, message)


def _checked(
    file: Path, schema: DatasetSchema, columns: Mapping[str, str]
) -> Iterator[tuple[Raw, dict[str, Any] | None, str]]:
    names = {theirs: ours for ours, theirs in columns.items()}
    textual = FORMATS.get(file.suffix.lower()) == "CSV"
    for raw in read(file, longest_row(schema)):
        if raw.values is None:
            yield raw, None, raw.fault
            continue
        # With a mapping the file is somebody else's: what is not mapped is not asked for.
        found = {names[key]: value for key, value in raw.values.items() if key in names} if names else raw.values
        try:
            yield raw, check_values(found, schema, textual=textual), ""
        except RowError as fault:
            yield raw, None, str(fault)
