"""Commit to rows without showing them: they count from here once they are revealed, before the next release."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError, TributeError


class Committed(TypedDict):
    commitment: str
    contributor: str
    dataset: str
    rows: int
    log_seq: int | None
    opening: str | None


@command
def commit(
    contributor: Annotated[str, typer.Option(metavar="ID", help="The contributor's id, a pseudonym.")],
    dataset: Annotated[str, typer.Option(metavar="NAME", help="The dataset's name.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A file of rows in the dataset's columns.")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The dataset's schema: compute the commitment here and record nothing."),
    ] = None,
    root: Annotated[
        str | None, typer.Option(metavar="HEX", help="Record a commitment that its contributor computed.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="With --root: how many rows it holds.")] = 1,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Committed]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.intake import make_opening, write_opening
    from tribute.contributions.rights import commit as rights
    from tribute.contributions.schema import load_schema

    if (file is None) == (root is None):
        raise ConfigError("give a FILE of rows, or --root HEX and --rows N of one that its contributor keeps")
    data: Committed = {
        "commitment": root or "",
        "contributor": contributor,
        "dataset": dataset,
        "rows": rows,
        "log_seq": None,
        "opening": None,
    }
    lines = []
    if file is not None:
        declared = load_schema(schema) if schema else open_registry(workspace, dry_run).snapshot().schema(dataset)
        opening = make_opening(contributor, file, declared)
        place = file.with_name(f"{file.name}.opening.json")
        data |= {"commitment": opening.root, "dataset": opening.dataset, "rows": opening.rows, "opening": str(place)}
        lines.append(f"{place} opens the commitment; keep it to yourself, and give it to --reveal with the rows")
        if not dry_run:
            # Before the log has the commitment: without its opening nobody can keep it.
            write_opening(opening, place)
    if schema is None:
        try:
            record = rights(open_registry(workspace, dry_run), data["commitment"], contributor, dataset, data["rows"])
        except TributeError:
            if data["opening"] and not dry_run:
                Path(data["opening"]).unlink()
            raise
        data["log_seq"] = record.seq
    where = "not recorded" if data["log_seq"] is None else f"log entry {data['log_seq']}"
    return Output(data, [f"{data['commitment']}: {data['rows']} rows, {where}", *lines])
