"""Keep who the contributors are, in one encrypted file."""

from typing import Annotated

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ContributorId, WorkspaceFolder
from tribute.cli._output import Output
from tribute.errors import ConfigError


@command
def set_(
    contributor: ContributorId,
    details: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as name='Ada Lovelace'.")],
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Remember who a contributor is; an empty value forgets one detail."""
    from tribute.contributions.rights import vault
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    known = {}
    for detail in details:
        name, sign, value = detail.partition("=")
        if not (name and sign):
            raise ConfigError(f"{detail!r}: expected NAME=VALUE, such as name='Ada Lovelace'")
        known[name] = value
    vault.write_person(home.vault, contributor, known)
    return Output({"contributor": contributor}, [f"{contributor} is in {home.vault}"])


@command
def show(contributor: ContributorId, workspace: WorkspaceFolder = HERE) -> Output:
    """Show who a contributor is."""
    from tribute.contributions.rights import vault
    from tribute.workspace import Workspace

    details = vault.read_vault(Workspace.open(workspace).vault).get(contributor, {})
    lines = [f"{name}: {value}" for name, value in details.items()] or [f"nothing is known about {contributor}"]
    return Output({"contributor": contributor, **details}, lines)


@command
def forget(contributor: ContributorId, workspace: WorkspaceFolder = HERE) -> Output:
    """Forget who a contributor is."""
    from tribute.contributions.rights import vault
    from tribute.workspace import Workspace

    vault.forget_person(Workspace.open(workspace).vault, contributor)
    return Output({"contributor": contributor}, [f"{contributor} is not in the vault"])
