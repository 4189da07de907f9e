"""Reading and writing the JSONL files of sources."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tribute.errors import ContributionError
from tribute.strict import parse_json


def classification(text: str, label: str, slice_: str | None = None) -> dict[str, str]:
    """A row as a contributor of a classification dataset writes it."""
    return {"text": text, "label": label} | ({} if slice_ is None else {"slice": slice_})


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write one JSON object per line; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def require(path: Path, kind: str) -> None:
    """Raise ContributionError unless a published dataset's file exists."""
    if not path.is_file():
        raise ContributionError(
            f"{path}: not found; expected the {kind} rows; `tribute fetch {kind} {path.parent}` gets them"
        )


def read_source(path: Path, kind: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a published dataset's file. Raises ContributionError where the file is missing."""
    require(path, kind)
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = parse_json(line)
            rows.append({column: row[column] for column in columns})
        except (ValueError, KeyError, TypeError) as error:
            raise ContributionError(
                f"{path}:{number}: expected a JSON object with {', '.join(columns)}; "
                f"`tribute fetch {kind}` into an empty folder gets the file anew"
            ) from error
    return rows
