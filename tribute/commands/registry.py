"""Commands of the data steward: init, contribute, release, versions, fetch."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tribute import stages
from tribute.commands.output import Output, Table
from tribute.config import DatasetConfig, load_config
from tribute.contributions import Checked, Registry, Submission, Version, load_schema
from tribute.errors import ConfigError
from tribute.workspace import Workspace


def init(folder: Path, dry_run: bool) -> Output:
    """`tribute init`."""
    is_there = Workspace.is_at(folder)
    if dry_run and not is_there:
        return Output({"workspace": str(folder), "made": False}, [f"would make a workspace in {folder}"])
    if not dry_run:
        Registry.create(Workspace.create(folder))
    root = folder.resolve()
    line = f"{root} is a workspace already" if is_there else f"{root} is a workspace"
    return Output({"workspace": str(root), "made": not is_there}, [line])


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
    if evaluation and len(files) > 1:
        raise ConfigError(f"--evaluation takes one file, found {len(files)}; put all evaluation rows into one")
    declared = None if schema is None else load_schema(schema)
    submissions = [Submission(file, contributor, dataset, licence) for file in files]
    # Before anything is recorded: a slip in the last file must not leave the schema behind.
    checked = registry.check(submissions, declared)
    if dry_run:
        return _would_record(checked, evaluation)
    if declared is not None:
        registry.declare(declared)
    if evaluation:
        registry.seal_evaluation(dataset, files[0])
        return Output({"evaluation": dataset, "rows": checked[0].rows}, [f"sealed the evaluation of {dataset}"])
    recorded = registry.contribute(submissions)
    data = [{"contribution": one.id, "rows": one.rows, "ledger_seq": one.seq} for one in recorded]
    return Output(data, [f"{one.id}: {one.rows} rows, ledger entry {one.seq}" for one in recorded])


def release(workspace: Path, tag: str | None, config: Path | None, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute release`."""
    home = Workspace.open(workspace)
    if (tag is None) == (config is None):
        raise ConfigError("tribute release: give either a version NAME@vX.Y.Z or --config FILE")
    if tag is None:
        return _release_of(home, load_config(Path(str(config)), overrides).dataset, dry_run)
    registry = Registry.open(home)
    if dry_run:
        excluded = registry.check_release(tag)
        return Output({"tag": tag, "excluded": len(excluded)}, [f"would release {tag}: {len(excluded)} rows excluded"])
    return _released(registry.release(tag))


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


def fetch(dataset: str, folder: Path, dry_run: bool) -> Output:
    """`tribute fetch`."""
    from tribute.contributions.fetch import check
    from tribute.contributions.fetch import fetch as download

    if dry_run:
        check(dataset, folder)
        return Output({"dataset": dataset, "folder": str(folder)}, [f"would fetch {dataset} into {folder}"])
    path = download(dataset, folder)
    return Output({"dataset": dataset, "folder": str(path)}, [f"{dataset} is in {path}"])


def _would_record(checked: Sequence[Checked], evaluation: bool) -> Output:
    if evaluation:
        data = [{"evaluation": one.submission.dataset, "rows": one.rows, "sha256": one.sha256} for one in checked]
        return Output(data, [f"would seal the evaluation of {one['evaluation']}: {one['rows']} rows" for one in data])
    data = [{"contribution": one.id, "rows": one.rows, "sha256": one.sha256} for one in checked]
    return Output(data, [f"would record {one['contribution']}: {one['rows']} rows" for one in data])


def _release_of(home: Workspace, dataset: DatasetConfig, dry_run: bool) -> Output:
    """What a config's source holds, contributed and released; a version that is there already is found."""
    if dry_run:
        found = stages.is_released(home, dataset)
        line = f"{dataset.tag} is released already" if found else f"would contribute and release {dataset.tag}"
        return Output({"tag": dataset.tag, "released": found}, [line])
    stages.take_in(home, dataset)
    return _released(Registry.open(home).version(dataset.tag))


def _released(version: Version) -> Output:
    used = version.rows - version.excluded
    line = f"{version.tag}: {used} rows of {version.contributors} contributors, {version.excluded} rows excluded"
    return Output(asdict(version), [line])
