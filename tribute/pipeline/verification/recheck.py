"""Retraining without a contributor, to look into a dispute: is the model worse without the rows, and by how much?

The same batches, seeds and recipe as the run that the period was paid by, less the contributor's rows, so that a
second recheck finds the first one's trainings and gives the same numbers. Sits above the columns.
"""

from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Any

from tribute.artifacts import Artifact, check_files, read_artifact
from tribute.attribution.measurement import Run
from tribute.config import load_config
from tribute.errors import RewardError
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.pipeline.stages.measuring import open_run, retrain_in_full
from tribute.rewards.disputes import Dispute
from tribute.rewards.period import PeriodFolder
from tribute.rewards.tables import AllocationRow, as_text
from tribute.workspace import Workspace

Each = Callable[[Callable[[int], Any], Sequence[int], int], list[Any]]
"""Does one kind of work for several seeds; results in their order."""


def run_of(workspace: Workspace, period: str) -> str:
    """The id of a run that made the attribution that a period was paid by. Raises RewardError where there is none."""
    attribution = read_artifact(workspace.rewards / period).inputs["attribution"]
    for run_id in all_runs(workspace):
        if read_run(workspace, run_id)["attribution"] == attribution:
            return run_id
    raise RewardError(f"no run in {workspace.runs} has attribution {attribution[:12]}, by which {period} was paid")


def recheck(workspace: Workspace, dispute: Dispute, each: Each) -> dict[str, Any]:
    """What retraining found: losses with and without, seed by seed, and the effect (nats, > 0: the rows helped).

    Raises RewardError where the contributor has no row that was trained on.
    """
    run_id = run_of(workspace, dispute.period)
    run, config = read_run(workspace, run_id), load_config(workspace.runs / run_id / "config.yaml")
    dataset = workspace.store.get("dataset", run["dataset"])
    line = _line(workspace, dispute)
    if not line.rows_canonical:
        raise RewardError(f"the model of {dispute.period} saw no row of {dispute.contributor_id}: nothing to leave out")
    seeds = config.finetuning.seeds
    adapters = [workspace.store.get("adapter", run["adapters"][str(seed)]) for seed in seeds]
    trained = open_run(workspace, config, dataset, adapters)
    retrainings = each(
        lambda seed: _leave_out(trained, dispute.contributor_id, seed), seeds, config.execution.processes
    )
    whole, without = ([_loss(training) for training in trainings] for trainings in (adapters, retrainings))
    effects = [after - before for before, after in zip(whole, without, strict=True)]
    return {
        "run": run_id,
        "retrainings": [retraining.id for retraining in retrainings],
        "seeds": list(seeds),
        "loss_with": [f"{loss:.9f}" for loss in whole],
        "loss_without": [f"{loss:.9f}" for loss in without],
        "effect": f"{fmean(effects):.9f}",
        "effect_se": f"{stdev(effects) / len(effects) ** 0.5:.9f}",
        "credit": as_text(line.score),
        "credit_se": as_text(line.score_se),
    }


def _leave_out(run: Run, contributor: str, seed: int) -> Artifact:
    """In full: the run's own adapters are what the retrainings are compared with."""
    from tribute.attribution.retraining import Job

    return retrain_in_full(run, Job(design="leave-out", contributor=contributor, seed=seed))


def _line(workspace: Workspace, dispute: Dispute) -> AllocationRow:
    rows = PeriodFolder(workspace.rewards / dispute.period).allocation
    return next(row for row in rows if row.contributor_id == dispute.contributor_id)


def _loss(training: Artifact) -> float:
    """Mean evaluation loss in nats."""
    check_files(training, lambda name: name == "evaluation.json")
    return float(training.json("evaluation.json")["loss"])
