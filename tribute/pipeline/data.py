"""Dataset versions: taken in, released, and their tables."""

import shutil
import tempfile
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tribute.artifacts import Artifact
from tribute.config import DatasetConfig
from tribute.errors import RegistryError
from tribute.progress import reporter
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry


def take_in(workspace: Workspace, dataset: DatasetConfig) -> None:
    """Contribute what the config's source holds, unless the version is released already.

    Raises RegistryError where there is neither a version nor a source. A source with a fault leaves nothing
    in the registry.
    """
    from tribute.contributions.intake import read_jsonl
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import release_version
    from tribute.contributions.sources import write_source

    registry = Registry.create(workspace)
    if is_released(workspace, dataset) or dataset.source is None:
        return
    report = reporter("contributions")
    workspace.scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="source-", dir=workspace.scratch))
    try:
        report(0, 4)
        schema, submissions, evaluation = write_source(dataset.source, dataset.name, folder)
        registry.check(submissions, schema)
        read_jsonl(evaluation, schema, f"evaluation of {dataset.name}")
        report(1, 4)
        registry.declare(schema)
        registry.contribute(submissions)
        report(2, 4)
        registry.seal_evaluation(dataset.name, evaluation)
        report(3, 4)
        release_version(registry, dataset.tag)
        report(4, 4)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def release(workspace: Workspace, tag: str) -> None:
    """Release what was contributed as a version, unless it is one already."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import release_version

    registry = Registry.open(workspace)
    if tag not in [version.tag for version in registry.versions()]:
        release_version(registry, tag)


def is_released(workspace: Workspace, dataset: DatasetConfig) -> bool:
    """Whether the version is released already. Raises what `refuse_source` does where it is not."""
    from tribute.contributions.registry import Registry

    registry = Registry.open(workspace)
    tags = [version.tag for version in registry.versions()]
    if dataset.tag not in tags:
        known = ", ".join(tags) or "none"
        refuse_source(dataset, f"; released: {known}. {_first_step(registry, dataset)}")
    return dataset.tag in tags


def refuse_source(dataset: DatasetConfig, advice: str = ": give") -> None:
    """Look whether a version can be made from its source.

    Raises RegistryError with `advice` where the config names none, ContributionError where a file of it is missing.
    """
    from tribute.contributions.sources import check_source

    if dataset.source is None:
        raise RegistryError(f"there is no dataset version {dataset.tag}{advice} dataset.source")
    check_source(dataset.source)


def _first_step(registry: "Registry", dataset: DatasetConfig) -> str:
    """What leads to a version that is not released: a release would fail where there is nothing to release."""
    from tribute.contributions.registry import number

    snapshot = registry.snapshot()
    if dataset.name not in snapshot.datasets():
        near = get_close_matches(dataset.name, snapshot.datasets(), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"There is no dataset {dataset.name}{hint}: declare it with `tribute contribute --schema`, or give"
    if not snapshot.contributions(dataset.name):
        return f"{dataset.name} has no contributions: `tribute contribute` some, or give"
    latest = max((number(version.version) for version in registry.versions(dataset.name)), default=None)
    if latest is not None and number(dataset.version) <= latest:
        return "A version's number is never taken up later: name a released one, or give"
    return f"Run `tribute release {dataset.tag}`, or give"


def materialised(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version. Raises RegistryError where nobody may learn from it any more."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import build_dataset, check_trainable

    registry = Registry.open(workspace)
    check_trainable(registry, tag, datetime.now(UTC).date())
    return build_dataset(registry, tag, workspace.store)


def found_dataset(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version that was learned from. Raises RegistryError where there are none yet."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import find_dataset

    found = find_dataset(Registry.open(workspace), tag, workspace.store)
    if found is None:
        raise RegistryError(f"nothing was trained on {tag} yet; run `tribute finetune` first")
    return found
