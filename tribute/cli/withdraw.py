"""Stop a contribution's use from the next version on; its history stays."""

from tribute.cli._command import command
from tribute.cli._options import HERE, By, ContributionId, DryRun, OptionalKeyFile, Why, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._removal import Withdrawn


@command
def withdraw(
    contribution: ContributionId,
    by: By,
    why: Why,
    key: OptionalKeyFile = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Withdrawn]:
    from tribute.cli._registry import open_registry
    from tribute.cli._removal import adapters, learned_from, withdrawn
    from tribute.contributions.rights import withdraw as rights
    from tribute.workspace import Workspace

    runs = learned_from(Workspace.open(workspace), [contribution])
    record = rights(open_registry(workspace, dry_run), contribution, by, why, key)
    verb = "would be withdrawn" if dry_run else "is withdrawn"
    lines, tables = adapters(runs)
    return Output(withdrawn(record, runs), [f"{contribution} {verb}, log entry {record.seq}", *lines], tables)
