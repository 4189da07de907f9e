"""Dataset versions: taken in and released. Their tables are in learned.py, which needs what learns."""

import shutil
import tempfile
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tribute.config import BaseConfig, DatasetConfig
from tribute.errors import RegistryError
from tribute.ids import parse_tag
from tribute.progress import reporter
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import Tokenizer


def take_in(workspace: Workspace, dataset: DatasetConfig, base: BaseConfig | None = None) -> None:
    """Contribute what the config's source holds, unless the version is released already.

    Rows compare as `base` reads them, where the dataset's schema names its tokenizer. A source with a fault leaves
    nothing in the registry. Raises RegistryError where there is neither a version nor a source.
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
        release_version(registry, dataset.tag, screening_tokenizer(registry, dataset.name, base))
        report(4, 4)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def release(workspace: Workspace, tag: str, base: BaseConfig | None = None) -> None:
    """Release what was contributed as a version, unless it is one already; `base` as for `take_in`."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import release_version

    registry = Registry.open(workspace)
    if tag not in [version.tag for version in registry.versions()]:
        release_version(registry, tag, screening_tokenizer(registry, parse_tag(tag)[0], base))


def screening_tokenizer(registry: "Registry", dataset: str, base: BaseConfig | None) -> "Tokenizer | None":
    """The base's tokenizer, where the dataset's schema names one for its screening."""
    if base is None or not registry.snapshot().schema(dataset).tokenizer:
        return None
    return base_tokenizer(base)


def is_released(workspace: Workspace, dataset: DatasetConfig) -> bool:
    """Whether the version is released already. Raises what `refuse_source` does where it is not."""
    from tribute.contributions.registry import Registry

    registry = Registry.open(workspace)
    tags = [version.tag for version in registry.versions()]
    if dataset.tag not in tags:
        known = ", ".join(tags) or "none"
        refuse_source(dataset, f"; released: {known}. {_first_step(registry, dataset)}")
    return dataset.tag in tags


def refuse_unreleased(workspace: Workspace, dataset: DatasetConfig) -> None:
    """Raise RegistryError where the config's version is not released yet."""
    if not is_released(workspace, dataset):
        raise RegistryError(
            f"{dataset.tag} is not released yet; `tribute release --config CONFIG` makes it of the config's "
            "dataset.source"
        )


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


def check_learnable(workspace: Workspace, tag: str) -> None:
    """Raise RegistryError where nobody may learn from a version today."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import check_trainable

    check_trainable(Registry.open(workspace), tag, datetime.now(UTC).date())


def base_tokenizer(base: BaseConfig) -> "Tokenizer":
    """A base's tokenizer; where it lies in older files than tokenizer.json, what transformers makes of them."""
    from tribute.contributions.releases import TOKENIZER_FILE, read_tokenizer, untruncated
    from tribute.finetuning.models.base_models import load_tokenizer, text_folder

    folder = text_folder(base)
    if (folder / TOKENIZER_FILE).exists():
        return read_tokenizer(folder)
    return untruncated(load_tokenizer(folder).backend_tokenizer)
