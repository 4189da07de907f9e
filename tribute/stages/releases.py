"""Dataset versions: taken in, released, and their tables."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tribute.artifacts import Artifact
from tribute.config import DatasetConfig
from tribute.errors import RegistryError
from tribute.progress import reporter
from tribute.workspace import Workspace


def take_in(workspace: Workspace, dataset: DatasetConfig) -> None:
    """Contribute what the config's source holds, unless the version is released already.

    Raises RegistryError where there is neither a version nor a source. A source with a fault leaves nothing
    in the registry.
    """
    from tribute.contributions import Registry, read_jsonl, sources

    registry = Registry.create(workspace)
    if is_released(workspace, dataset) or dataset.source is None:
        return
    report = reporter("contributions")
    workspace.scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="source-", dir=workspace.scratch))
    try:
        report(0, 4)
        schema, submissions, evaluation = sources.write(dataset.source, dataset.name, folder)
        registry.check(submissions, schema)
        read_jsonl(evaluation, schema, f"evaluation of {dataset.name}")
        report(1, 4)
        registry.declare(schema)
        registry.contribute(submissions)
        report(2, 4)
        registry.seal_evaluation(dataset.name, evaluation)
        report(3, 4)
        registry.release(dataset.tag)
        report(4, 4)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def release(workspace: Workspace, tag: str) -> None:
    """Release what was contributed as a version, unless it is one already."""
    from tribute.contributions import Registry

    registry = Registry.open(workspace)
    if tag not in [version.tag for version in registry.versions()]:
        registry.release(tag)


def is_released(workspace: Workspace, dataset: DatasetConfig) -> bool:
    """Whether the version is released already. Raises what `refuse_source` does where it is not."""
    from tribute.contributions import Registry

    tags = [version.tag for version in Registry.open(workspace).versions()]
    if dataset.tag not in tags:
        refuse_source(dataset, tags)
    return dataset.tag in tags


def refuse_source(dataset: DatasetConfig, released: Sequence[str] = ()) -> None:
    """Look whether a version can be made from its source.

    Raises RegistryError where the config names none, ContributionError where a file of it is missing.
    """
    from tribute.contributions import sources

    if dataset.source is None:
        known = ", ".join(released) or "none"
        raise RegistryError(
            f"there is no dataset version {dataset.tag}; released: {known}. "
            f"Run `tribute release {dataset.tag}`, or give dataset.source"
        )
    sources.check(dataset.source)


def materialised(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version. Raises RegistryError where nobody may learn from it any more."""
    from tribute.contributions import Registry, materialise, refuse_learning

    registry = Registry.open(workspace)
    refuse_learning(registry, tag, datetime.now(UTC).date())
    return materialise(registry, tag, workspace.store)


def forget_tables(workspace: Workspace, contribution: str) -> list[str]:
    """Remove the tables that hold a contribution's rows; returns the tags of the versions they were of."""
    from tribute.contributions import read_description

    forgotten = []
    for dataset in list(workspace.store.all("dataset")):
        description = read_description(dataset)
        if contribution in description["contributions"]:
            # The rows first: a folder that has lost its manifest would not be found again.
            for rows in dataset.path.glob("*.parquet"):
                rows.unlink()
            shutil.rmtree(dataset.path)
            forgotten.append(str(description["tag"]))
    return forgotten


def found_dataset(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version that was learned from. Raises RegistryError where there are none yet."""
    from tribute.contributions import Registry, find_materialised

    found = find_materialised(Registry.open(workspace), tag, workspace.store)
    if found is None:
        raise RegistryError(f"nothing was trained on {tag} yet; run `tribute finetune` first")
    return found
