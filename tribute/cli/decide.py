"""Record the decisions of a review page's CSV file, all of them or none."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tribute.cli._command import command
from tribute.cli._decision import Decided, decided
from tribute.cli._options import HERE, By, DatasetName, DryRun, TokenizerFolder, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError

if TYPE_CHECKING:
    from tribute.contributions.releases import RowVerdict

COLUMNS = ("row", "verdict", "why")


@command
def decide(
    dataset: DatasetName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with the columns row, verdict and why.")],
    by: By,
    tokenizer: TokenizerFolder = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Decided]:
    from tribute.cli._registry import open_registry
    from tribute.cli._tokenizer import named_tokenizer
    from tribute.contributions.releases import decide_all

    registry = open_registry(workspace, dry_run)
    registry.snapshot().schema(dataset)
    reads = named_tokenizer(registry, dataset, tokenizer)
    return decided(workspace, registry, decide_all(registry, _read(file), by, dataset), reads)


def _read(file: Path) -> "list[RowVerdict]":
    """The file's decisions. Raises ConfigError naming the line."""
    from tribute.contributions.releases import VERDICTS, RowVerdict

    verdicts = []
    for number, line in _lines(file):
        if missing := [name for name in COLUMNS if not (line.get(name) or "").strip()]:
            raise ConfigError(f"{file}:{number}: {missing[0]} is empty or missing; expected {', '.join(COLUMNS)}")
        verdict = next((known for known in VERDICTS if known == line["verdict"].strip().lower()), None)
        if verdict is None:
            raise ConfigError(f"{file}:{number}: verdict {line['verdict']!r}; expected {' or '.join(VERDICTS)}")
        verdicts.append(RowVerdict(line["row"].strip(), verdict, line["why"].strip()))
    return verdicts


def _lines(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(Number, cells) of every line that is not wholly empty; spreadsheets separate by semicolons or tabs, too."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
        for line in reader:
            if any(cell.strip() for cell in line.values() if isinstance(cell, str)):
                yield reader.line_num, line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read ({error}); give the CSV file of a review page") from error
