"""Keep rows out of the next version, and record who decided and why."""

from tribute.cli._command import command
from tribute.cli._decision import Decided
from tribute.cli._options import HERE, By, DryRun, RowIds, Why, WorkspaceFolder
from tribute.cli._output import Output


@command
def reject(
    rows: RowIds, by: By, why: Why, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False
) -> Output[Decided]:
    from tribute.cli._decision import record_decision

    return record_decision("reject", rows, by, why, workspace, dry_run)
