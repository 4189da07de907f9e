"""Commit to rows without showing them: they count from here once they are revealed, before the next release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, Columns, DryRun, FileFormat, SkipFaulty, WorkspaceFolder, columns_of
from tribute.cli._output import Output
from tribute.errors import ConfigError, RegistryError, TributeError

if TYPE_CHECKING:
    from tribute.contributions.intake import Opening
    from tribute.contributions.registry import Registry


EITHER = "give a FILE of rows, or --root HEX and --rows N of one that its contributor keeps"


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
        Path | None, typer.Argument(metavar="FILE", help="A file of rows, as `contribute` takes it.")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The dataset's schema: compute the commitment here and record nothing."),
    ] = None,
    map_: Columns = None,
    format_: FileFormat = None,
    skip_faulty: SkipFaulty = False,
    root: Annotated[
        str | None, typer.Option(metavar="HEX", help="Record a commitment that its contributor computed.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --root: how many rows it holds.")] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Committed]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.intake import check_id, make_opening, write_opening
    from tribute.contributions.rights import commit as record
    from tribute.contributions.schema import load_schema

    check_id(contributor, "contributor")
    if file is None:
        if root is None or rows is None or schema or map_ or format_ or skip_faulty:
            raise ConfigError(f"{EITHER}, and no option about a file")
        recorded = record(open_registry(workspace, dry_run), root, contributor, dataset, rows)
        return _output(root, contributor, dataset, rows, recorded.seq)
    if root is not None or rows is not None:
        raise ConfigError(f"{EITHER}, not both")
    declared = load_schema(schema) if schema else open_registry(workspace, dry_run).snapshot().schema(dataset)
    if declared.name != dataset:
        raise ConfigError(f"{schema} is the schema of {declared.name}, but --dataset says {dataset}; make them agree")
    opening = make_opening(contributor, file, declared, columns_of(map_), skip_faulty=skip_faulty, format_=format_)
    place = file.with_name(f"{file.name}.opening.json")
    if not dry_run:
        # Before the log has the commitment: without its opening nobody can keep it.
        write_opening(opening, place)
    seq = None if schema else _recorded(open_registry(workspace, dry_run), opening, place)
    return _output(opening.root, contributor, dataset, opening.rows, seq, place)


def _recorded(registry: "Registry", opening: "Opening", place: Path) -> int:
    from tribute.contributions.rights import commit as record

    try:
        return record(registry, opening.root, opening.contributor_id, opening.dataset, opening.rows).seq
    except TributeError as error:
        if registry.repository.dry_run:
            raise
        again = (
            f"tribute commit --root {opening.root} --rows {opening.rows} --contributor {opening.contributor_id} "
            f"--dataset {opening.dataset}"
        )
        raise RegistryError(
            f"{error}. A push may have arrived all the same, so {place} is kept; record the commitment with `{again}`, "
            "which changes nothing where it is recorded"
        ) from error


def _output(
    root: str, contributor: str, dataset: str, rows: int, seq: int | None, opening: Path | None = None
) -> Output[Committed]:
    data: Committed = {
        "commitment": root,
        "contributor": contributor,
        "dataset": dataset,
        "rows": rows,
        "log_seq": seq,
        "opening": str(opening) if opening else None,
    }
    lines = [f"{root}: {rows} rows, {'not recorded' if seq is None else f'log entry {seq}'}"]
    if opening:
        lines.append(f"{opening} opens the commitment; keep it to yourself, and give it to --reveal with the rows")
    return Output(data, lines)
