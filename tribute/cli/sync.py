"""Fetch what other stewards recorded in a shared registry."""

from typing import TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output


class Synced(TypedDict):
    log_entries: int
    cleaned: dict[str, list[str]]


@command
def sync(workspace: WorkspaceFolder = HERE) -> Output[Synced]:
    from tribute.cli._removal import erased_lines
    from tribute.contributions.registry import Registry
    from tribute.pipeline.operations.erasure import erase_recorded
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    registry.sync()
    removed = erase_recorded(home, registry)
    entries = registry.entries()
    lines = [f"the registry's log has {len(entries)} entries", *erased_lines(removed)]
    return Output({"log_entries": len(entries), "cleaned": removed}, lines)
