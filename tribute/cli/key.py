"""Make and replace the Ed25519 keys of contributors, organisations and the registry."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ContributorId, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError

REGISTRY = "registry"


class Key(TypedDict):
    owner: str
    file: str
    public_key: str


@command
def new(
    contributor: ContributorId,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file for the private key; it must not exist yet.")],
    workspace: WorkspaceFolder = HERE,
) -> Output[Key]:
    """Make a contributor's key and register its public half."""
    from tribute.contributions.registry import Registry
    from tribute.contributions.rights import refuse_key, register_key
    from tribute.keys import make_key, public_half
    from tribute.workspace import Workspace

    registry = Registry.open(Workspace.open(workspace))
    refuse_key(registry, contributor)
    key = make_key(out)
    register_key(registry, contributor, key)
    return _written(contributor, out, public_half(key))


@command
def rotate(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="A contributor, an organisation, or `registry`.")],
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The current private key, to sign with.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file for the new private key.")] = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Key]:
    """Replace a key; the current key signs its successor, which may act for earlier contributions."""
    from tribute.contributions.registry import Registry, rotate_registry_key
    from tribute.contributions.rights import rotate_key
    from tribute.keys import load_key, make_key, public_half
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    if owner == REGISTRY:
        registry_key, file = rotate_registry_key(registry.repository, home.keys)
        return _written(owner, file, public_half(registry_key))
    if key is None or out is None:
        raise ConfigError("tribute key rotate: give the old key's file with --key and the new one's with --out")
    before, after = load_key(key), make_key(out)
    rotate_key(registry, owner, before, after)
    return _written(owner, out, public_half(after))


def _written(owner: str, file: Path, public: str) -> Output[Key]:
    data: Key = {"owner": owner, "file": str(file), "public_key": public}
    return Output(data, [f"the key of {owner} is in {file}, its public half is {public}"])
