"""Run the whole pipeline on the docstrings of the packages installed here, serve the model, and pay what was used."""

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
    from tribute.cli._checkout import checkout
    from tribute.cli._demo import run_and_serve
    from tribute.cli._flows import run_pipeline
    from tribute.contributions.registry import Registry
    from tribute.pipeline.launch.preflight import checked_config, refuse_base, refuse_engine
    from tribute.pipeline.stages.data import refuse_source
    from tribute.workspace import Workspace

    configs = checkout() / "configs"
    config = checked_config(configs / "docs.yaml", set_ or [])
    refuse_engine(config.execution)
    refuse_base(config)
    if not Workspace.is_at(workspace):
        refuse_source(config.dataset)
        if dry_run:
            return would(f"make the workspace {workspace} and run {config.id} in it")
    if not dry_run:
        Registry.create(Workspace.create(workspace))
    home = Workspace.open(workspace)
    if config.rewards is None or dry_run:
        return run_pipeline(home, config, dry_run)
    return run_and_serve(home, config, configs)
