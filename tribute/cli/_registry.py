"""How commands open a registry."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry


def open_registry(workspace: Path, dry_run: bool) -> "Registry":
    """The registry; with `dry_run` one whose transactions check everything and leave nothing."""
    from tribute.contributions.registry import Registry
    from tribute.workspace import Workspace

    return Registry.open(Workspace.open(workspace), dry_run=dry_run)
