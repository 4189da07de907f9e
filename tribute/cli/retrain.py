"""Train every run that learned from withdrawn or erased contributions again, on a version without them."""

from typing import TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import listed
from tribute.cli.finetune import Adapter, train_seeds
from tribute.errors import RegistryError


class Retrained(TypedDict):
    run: str
    tag: str
    adapters: dict[str, Adapter]


class Stale(TypedDict):
    run: str
    tag: str
    adapter_ids: dict[str, str]
    removed: list[str]
    retrain_on: str | None


class Retraining(TypedDict):
    trained: list[Retrained]
    waiting: list[Stale]


@command
def retrain(workspace: WorkspaceFolder = HERE, dry_run: DryRun = False) -> Output[Retraining]:
    from tribute.pipeline.launch.preflight import checked_config, refuse_training
    from tribute.pipeline.runs import stale_runs
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    waiting = stale_runs.pending(home)
    if dry_run or not waiting:
        rows = [
            (stale.run_id, stale.tag, ", ".join(stale.gone), stale.version or "release one first") for stale in waiting
        ]
        table = Table("Runs that wait", ("run", "learned on", "taken back", "train on"), rows)
        records: list[Stale] = [
            {
                "run": stale.run_id,
                "tag": stale.tag,
                "adapter_ids": stale.adapters,
                "removed": list(stale.gone),
                "retrain_on": stale.version,
            }
            for stale in waiting
        ]
        return Output({"trained": [], "waiting": records}, [] if rows else ["nothing waits"], [table] if rows else [])
    trained: list[Retrained] = []
    for stale in waiting:
        if stale.version is None:
            raise RegistryError(
                f"run {stale.run_id} learned from {listed(stale.gone)}, and no version without it is released; "
                f"`tribute release {stale.tag.partition('@')[0]}@vX.Y.Z` first"
            )
        config = checked_config(home.runs / stale.run_id / "config.yaml", [f"dataset.version={stale.version}"])
        refuse_training(home, config)
        adapters, _ = train_seeds(home, config)
        tag = config.dataset.tag
        stale_runs.mark_retrained(home, stale, tag, {seed: adapter["adapter"] for seed, adapter in adapters.items()})
        trained.append({"run": stale.run_id, "tag": tag, "adapters": adapters})
    return Output(
        {"trained": trained, "waiting": []},
        [f"run {record['run']}: trained again on {record['tag']}" for record in trained],
    )
