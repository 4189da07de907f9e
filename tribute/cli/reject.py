"""Keep rows out of the next version, and record who decided and why."""

from tribute.cli._command import command
from tribute.cli._decision import Decided
from tribute.cli._options import HERE, By, DryRun, RowIds, TokenizerFolder, Why, WorkspaceFolder
from tribute.cli._output import Output


@command
def reject(
    rows: RowIds,
    by: By,
    why: Why,
    tokenizer: TokenizerFolder = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Decided]:
    from tribute.cli._decision import record_decision
    from tribute.cli._registry import open_registry

    return record_decision(workspace, open_registry(workspace, dry_run), "reject", rows, by, why, tokenizer)
