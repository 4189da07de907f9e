"""Show or set which contributors an organisation owns; its key may act for them."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output


class Organisation(TypedDict):
    organisation: str
    members: list[str]


@command
def organisation(
    name: Annotated[str, typer.Argument(metavar="ORGANISATION", help="The organisation's id.")],
    member: Annotated[
        list[str] | None,
        typer.Option(metavar="CONTRIBUTOR", help="A contributor it owns. Repeatable; replaces all."),
    ] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Organisation]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.registry import read_identity
    from tribute.contributions.rights import set_members

    registry = open_registry(workspace, dry_run)
    if member:
        set_members(registry, name, member)
    members = read_identity(registry.snapshot().tree, name).get("members", [])
    return Output({"organisation": name, "members": members}, [f"{name}: {', '.join(members) or 'no members'}"])
