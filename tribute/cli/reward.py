"""Draft a period: pay the pool by the attribution, and write the report, without Prefect."""

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, DryRun, Overrides, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._payout import Paid
from tribute.cli._text import Plan, would


@command
def reward(
    config: ConfigFile, set_: Overrides = None, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False
) -> Output[Paid | Plan]:
    from tribute.cli._payout import payout
    from tribute.pipeline.launch.parameters import rewards_of
    from tribute.pipeline.launch.preflight import checked_config
    from tribute.pipeline.runs.runs import begin_run
    from tribute.pipeline.stages import measuring, results, tracked, training
    from tribute.pipeline.stages.learned import found_dataset
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    begun, rewards = begin_run(run), rewards_of(run)
    dataset = found_dataset(home, run.dataset.tag, run.finetuning.base)
    adapters = training.find_adapters(home, run, dataset)
    attribution = measuring.find_attribution(measuring.open_run(home, run, dataset, adapters))
    if dry_run:
        return would(f"pay {rewards.total} for {rewards.period}")
    results.draft_period(home, run, dataset, adapters, attribution)
    artifacts = {
        "dataset": dataset.id,
        "adapters": [adapter.id for adapter in adapters],
        "baselines": training.measure_baselines(home, run, dataset).id,
        "registered": tracked.register(home, run, dataset, adapters),
        "attribution": attribution.id,
    }
    run_id = results.record(home, run, artifacts, begun)
    return payout(home, run, run_id)
