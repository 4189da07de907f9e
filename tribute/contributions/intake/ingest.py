"""One pass over a contributed file: every row checked, the good ones written beside as JSON lines.

Constant memory: what was read is on disk before the next row is read. Knows nothing of the registry.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.contributions.intake.chat_formats import COLUMNS_OF, REQUIRED, convert
from tribute.contributions.intake.raw import Raw
from tribute.contributions.intake.readers import FORMATS, read
from tribute.contributions.intake.row_checks import check_values, longest_row
from tribute.contributions.intake.texts import RowError
from tribute.contributions.schema import DatasetSchema, Format
from tribute.errors import ContributionError

DATA = "data.jsonl"
LINES = "lines.jsonl"
FAULTS_KEPT = 10_000
"""Faults that a receipt can list; a file with more is not what the dataset asks for, and refused."""
MESSAGES_SHOWN = 8
LINES_SHOWN = 12


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
    format_: Format | None = None,
) -> IntakeResult:
    """Read the file once into `folder`. `columns` maps a column of the schema, or of the format, to the file's name.

    Raises ContributionError with all faulty rows, or with `skip_faulty` where no row is good.
    """
    digest, rows, faults = hashlib.sha256(), 0, list[Fault]()
    data, lines = folder / DATA, folder / LINES
    with data.open("wb") as good_rows, lines.open("w", encoding="ascii") as good_lines:
        for raw, values, message in _checked(file, schema, columns or {}, format_ or schema.format or None):
            if values is None:
                if len(faults) >= FAULTS_KEPT:
                    raise ContributionError(_joined(_message(file, faults), f"More than {FAULTS_KEPT} rows are faulty"))
                faults.append(Fault(raw.line, message))
                continue
            line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            good_rows.write(line)
            good_lines.write(f"{raw.line}\n")
            rows += 1
    if not rows:
        raise ContributionError(_joined(_message(file, faults), "No row is good"))
    if faults and not skip_faulty:
        raise ContributionError(_message(file, faults))
    return IntakeResult(data, lines, rows, digest.hexdigest(), tuple(faults))


def grouped(faults: Sequence[Fault]) -> list[str]:
    """`line 3: why` or `lines 3, 5, 9: why`, one entry per reason, in the order of the first line of each."""
    by_message: dict[str, list[int]] = {}
    for fault in faults:
        by_message.setdefault(fault.message, []).append(fault.line)
    groups = []
    for message, numbers in by_message.items():
        shown = ", ".join(map(str, numbers[:LINES_SHOWN]))
        more = f" and {len(numbers) - LINES_SHOWN} more" if len(numbers) > LINES_SHOWN else ""
        groups.append(f"{'lines' if len(numbers) > 1 else 'line'} {shown}{more}: {message}")
    return groups


def _message(file: Path, faults: Sequence[Fault]) -> str:
    """All faults of a file in one message: the first with its place, the others by reason."""
    first = f"{file}:{faults[0].line}: {faults[0].message}"
    if len(faults) == 1:
        return first
    # The first line is told already; its message goes on with the other lines that share it.
    others = grouped(faults[1:])
    more = f"; and {len(others) - MESSAGES_SHOWN} more reasons" if len(others) > MESSAGES_SHOWN else ""
    reasons = "; ".join(others[:MESSAGES_SHOWN])
    return _joined(first, f"{len(faults)} rows are faulty (--skip-faulty leaves them out): {reasons}{more}")


def _joined(first: str, second: str) -> str:
    """Two sentences; the first may end with a question."""
    return f"{first} {second}" if first.endswith("?") else f"{first}. {second}"


def _checked(
    file: Path, schema: DatasetSchema, columns: Mapping[str, str], format_: Format | None
) -> Iterator[tuple[Raw, dict[str, Any] | None, str]]:
    """Each row, its checked values where it has no fault, and the fault."""
    required = REQUIRED[format_] if format_ else schema.columns
    ours = {theirs: column for column, theirs in columns.items()}
    if ours:
        # Required columns that are not mapped may well have the schema's names.
        known = COLUMNS_OF[format_] if format_ else required
        ours |= {column: column for column in known if column not in columns}
    looked_at = ours or ({*COLUMNS_OF[format_], *schema.all_columns} if format_ else ())
    textual = FORMATS.get(file.suffix.lower()) == "CSV"
    for raw in read(file, longest_row(schema), columns=looked_at):
        if raw.values is None:
            yield raw, None, raw.fault
            continue
        try:
            values = _mapped(raw.values, ours, required)
            if format_:
                values = convert(values, format_, schema)
            yield raw, check_values(values, schema, textual=textual), ""
        except RowError as fault:
            yield raw, None, str(fault)


def _mapped(values: Mapping[str, Any], ours: Mapping[str, str], required: Sequence[str]) -> Mapping[str, Any]:
    """The values under the schema's names. With a mapping the file is somebody else's: the rest is not looked at."""
    if not ours:
        return values
    for theirs, column in ours.items():
        if column in required and theirs not in values:
            present = ", ".join(map(repr, values)) or "no column"
            raise RowError(f"missing column {theirs!r}; found {present}; say with --map {column}=NAME which it is")
    return {ours[key]: value for key, value in values.items() if key in ours}
