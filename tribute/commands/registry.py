"""Commands of the data steward: init, contribute, release, versions, fetch."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tribute.commands.output import Output, Table
from tribute.contributions import Registry, Submission, load_schema
from tribute.workspace import Workspace


def init(folder: Path, dry_run: bool) -> Output:
    """`tribute init`."""
    if dry_run:
        return Output({"workspace": str(folder), "made": False}, [f"would make a workspace in {folder}"])
    workspace = Workspace.create(folder)
    Registry.create(workspace)
    return Output({"workspace": str(workspace.root), "made": True}, [f"{workspace.root} is a workspace"])


def contribute(
    workspace: Path,
    files: Sequence[Path],
    contributor: str,
    dataset: str,
    licence: str,
    schema: Path | None,
    evaluation: bool,
    dry_run: bool,
) -> Output:
    """`tribute contribute`."""
    registry = Registry.open(Workspace.open(workspace))
    declared = None if schema is None else load_schema(schema)
    submissions = [Submission(file, contributor, dataset, licence) for file in files]
    if dry_run:
        checked = registry.check(submissions, declared)
        data = [{"contribution": one.id, "rows": one.rows, "sha256": one.sha256} for one in checked]
        return Output(data, [f"would record {one['contribution']}: {one['rows']} rows" for one in data])
    if declared is not None:
        registry.declare(declared)
    if evaluation:
        for file in files:
            registry.seal_evaluation(dataset, file)
        return Output({"evaluation": dataset}, [f"sealed the evaluation of {dataset}"])
    recorded = registry.contribute(submissions)
    data = [{"contribution": one.id, "rows": one.rows, "ledger_seq": one.seq} for one in recorded]
    return Output(data, [f"{one.id}: {one.rows} rows, ledger entry {one.seq}" for one in recorded])


def release(workspace: Path, tag: str, dry_run: bool) -> Output:
    """`tribute release`."""
    registry = Registry.open(Workspace.open(workspace))
    if dry_run:
        excluded = registry.check_release(tag)
        return Output({"tag": tag, "excluded": len(excluded)}, [f"would release {tag}: {len(excluded)} rows excluded"])
    version = registry.release(tag)
    used = version.rows - version.excluded
    line = f"{tag}: {used} rows of {version.contributors} contributors, {version.excluded} rows excluded"
    return Output(asdict(version), [line])


def versions(workspace: Path) -> Output:
    """`tribute versions`."""
    found = Registry.open(Workspace.open(workspace)).versions()
    rows = [
        (
            one.tag,
            str(one.contributors),
            str(one.contributions),
            str(one.rows - one.excluded),
            str(one.excluded),
            one.commit[:12],
        )
        for one in found
    ]
    columns = ("version", "contributors", "contributions", "rows", "excluded", "commit")
    table = Table("Dataset versions", columns, rows, right=columns[1:5])
    lines = [] if found else ["no version is released yet; see `tribute release --help`"]
    return Output([asdict(one) for one in found], lines, [table] if found else [])


def fetch(dataset: str, folder: Path) -> Output:
    """`tribute fetch`."""
    from tribute.contributions.fetch import fetch as download

    path = download(dataset, folder)
    return Output({"dataset": dataset, "folder": str(path)}, [f"{dataset} is in {path}"])
