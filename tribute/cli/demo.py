"""Run the whole pipeline on the docstrings of the packages installed here."""

from pathlib import Path

from tribute.cli._command import command
from tribute.cli._options import DryRun, Overrides, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._payout import Attributed, Paid
from tribute.cli._text import Plan, would


@command
def demo(
    workspace: WorkspaceFolder = Path("demo"), set_: Overrides = None, dry_run: DryRun = False
) -> Output[Paid | Attributed | Plan]:
    from tribute import months
    from tribute.cli._checkout import checkout
    from tribute.cli._flows import run_pipeline
    from tribute.contributions.registry import Registry
    from tribute.pipeline.launch.preflight import checked_config, refuse_base, refuse_engine
    from tribute.pipeline.stages.data import refuse_source
    from tribute.rewards.ledger import simulate
    from tribute.workspace import Workspace

    config = checked_config(checkout() / "configs" / "docs.yaml", set_ or [])
    refuse_engine(config)
    refuse_base(config)
    if not Workspace.is_at(workspace):
        refuse_source(config.dataset)
        if dry_run:
            return would(f"make the workspace {workspace} and run {config.id} in it")
    if not dry_run:
        home = Workspace.create(workspace)
        Registry.create(home)
        if config.rewards is not None:
            # Its month is a fixed one, so its days are those of a simulation, and its manifests say so.
            simulate(home.rewards, f"{months.next_period(config.rewards.period)}-01")
    return run_pipeline(Workspace.open(workspace), config, dry_run)
