"""Run the whole pipeline through the Prefect flows."""

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, DryRun, Overrides, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._payout import Attributed, Paid
from tribute.cli._text import Plan


@command
def run(
    config: ConfigFile, set_: Overrides = None, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False
) -> Output[Paid | Attributed | Plan]:
    from tribute.cli._flows import run_pipeline
    from tribute.pipeline.launch.preflight import checked_config
    from tribute.workspace import Workspace

    return run_pipeline(Workspace.open(workspace), checked_config(config, set_ or []), dry_run)
