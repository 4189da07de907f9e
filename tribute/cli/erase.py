"""Remove a contribution's bytes for good, wherever no live contribution has the same."""

from tribute.cli._command import command
from tribute.cli._options import HERE, By, ContributionId, DryRun, OptionalKeyFile, Why, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._removal import Removed


@command
def erase(
    contribution: ContributionId,
    by: By,
    why: Why,
    key: OptionalKeyFile = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Removed]:
    from tribute.cli._removal import remove

    return remove("erase", contribution, by, why, key, workspace, dry_run)
