"""Record the decisions of a review page's CSV file, all of them or none."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tribute.cli._command import command
from tribute.cli._decision import Decided, decided
from tribute.cli._options import HERE, By, DatasetName, DryRun, WorkspaceFolder
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
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Decided]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.releases import decide_all

    registry = open_registry(workspace, dry_run)
    registry.snapshot().schema(dataset)
    return decided(registry, decide_all(registry, _read(file), by, dataset), dry_run)


def _read(file: Path) -> "list[RowVerdict]":
    """The file's decisions. Raises ConfigError naming the line."""
    from tribute.contributions.releases import VERDICTS, RowVerdict

    try:
        lines = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read ({error}); give the CSV file of a review page") from error
    verdicts = []
    for number, line in enumerate(lines, start=2):
        if missing := [name for name in COLUMNS if not (line.get(name) or "").strip()]:
            raise ConfigError(f"{file}:{number}: {missing[0]} is empty or missing; expected {', '.join(COLUMNS)}")
        verdict = next((known for known in VERDICTS if known == line["verdict"].strip()), None)
        if verdict is None:
            raise ConfigError(f"{file}:{number}: verdict {line['verdict']!r}; expected {' or '.join(VERDICTS)}")
        verdicts.append(RowVerdict(line["row"].strip(), verdict, line["why"].strip()))
    return verdicts
