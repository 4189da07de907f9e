"""The tables of dataset versions, as one base learns them."""

from pathlib import Path
from typing import TYPE_CHECKING

from tribute.artifacts import Artifact
from tribute.config import BaseConfig
from tribute.contributions.dataset import read_description
from tribute.errors import RegistryError, WorkspaceError
from tribute.ids import parse_tag
from tribute.pipeline.stages.data import base_tokenizer, check_learnable
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry


def materialised(workspace: Workspace, tag: str, base: BaseConfig | None = None) -> Artifact:
    """The tables of a dataset version, as `base` may learn it (see `_for_base`).

    Raises RegistryError where nobody may learn from it any more.
    """
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import build_dataset

    check_learnable(workspace, tag)
    registry = Registry.open(workspace)
    return _for_base(workspace, registry, build_dataset(registry, tag, workspace.store), base)


def released_dataset(workspace: Path, tag: str) -> Artifact | None:
    """The tables of a version where the folder is a workspace that has released it."""
    from tribute.contributions.registry import Registry

    try:
        home = Workspace.open(workspace)
    except WorkspaceError:
        return None
    is_released = tag in [version.tag for version in Registry.open(home).versions()]
    return materialised(home, tag) if is_released else None


def looks_for_harm(workspace: Path, tag: str) -> float | None:
    """The part of a released version's evaluation that looks for harm, by its screening policy; None where none does.

    Raises WorkspaceError, RegistryError where there is no such version.
    """
    from tribute.contributions.registry import Registry

    return Registry.open(Workspace.open(workspace)).snapshot(tag).policy(parse_tag(tag)[0]).harm_share


def found_dataset(workspace: Workspace, tag: str, base: BaseConfig) -> Artifact:
    """The tables of a dataset version that `base` learned from. Raises RegistryError where there are none yet."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import find_dataset

    registry = Registry.open(workspace)
    found = find_dataset(registry, tag, workspace.store)
    if found is None:
        raise RegistryError(f"nothing was trained on {tag} yet; run `tribute finetune` first")
    return _for_base(workspace, registry, found, base)


def _for_base(workspace: Workspace, registry: "Registry", dataset: Artifact, base: BaseConfig | None) -> Artifact:
    """Without the rows that are copies to this base alone, or that harm it, where the screening policy looks for harm.

    A release has compared as the schema's tokenizer reads.
    """
    if base is None:
        return dataset
    description = read_description(dataset)
    at, name = registry.snapshot(description["tag"]), description["name"]
    learned = _without_copies(workspace, at.schema(name).tokenizer, dataset, base)
    share = at.policy(name).harm_share
    if share is None:
        return learned
    from tribute.attribution.credit import measure_harm
    from tribute.contributions.releases import dataset_without_harm

    harm = measure_harm(learned, base, share, workspace.store, workspace.scratch)
    return dataset_without_harm(learned, harm, at.decisions(name), workspace.store)


def _without_copies(workspace: Workspace, compared: str, dataset: Artifact, base: BaseConfig) -> Artifact:
    from tribute.contributions.releases import dataset_for_base

    tokenizer = base_tokenizer(base)
    return dataset if tokenizer.sha256 == compared else dataset_for_base(dataset, tokenizer, workspace.store)
