"""Tasks of the attribution column."""

from typing import Any

from prefect.states import State

from tasks.outcome import ended, get, stage
from tribute.config import RunConfig
from tribute.pipeline import measuring, results, training
from tribute.workspace import Workspace


@stage(task_run_name="credit of adapter {adapter}")
def credit(workspace: str, config: RunConfig, dataset: str, adapter: str) -> State[Any]:
    """Walk one adapter's trace; returns the credit's id."""
    [data], [trained] = get(workspace, "dataset", dataset), get(workspace, "adapter", adapter)
    return ended(training.credited(Workspace.open_at(workspace), config, data, trained))


@stage(task_run_name="planted controls, seed {seed}")
def plant(workspace: str, config: RunConfig, dataset: str, seed: int) -> State[Any]:
    """Train and credit with planted controls; returns the control's id."""
    [data] = get(workspace, "dataset", dataset)
    return ended(training.planted(Workspace.open_at(workspace), config, data, seed))


@stage(task_run_name="predict effects of adapter {adapter}")
def influence(workspace: str, config: RunConfig, dataset: str, adapter: str) -> State[Any]:
    """What one adapter's training says of leaving rows out; returns the influence's id."""
    [data], [trained] = get(workspace, "dataset", dataset), get(workspace, "adapter", adapter)
    return ended(training.influenced(Workspace.open_at(workspace), config, data, trained))


@stage(name="train probes")
def probe(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> State[Any]:
    """What a linear probe says beside in-run credit; returns the probe's id."""
    [data], trained = get(workspace, "dataset", dataset), get(workspace, "adapter", *adapters)
    return ended(training.probed(Workspace.open_at(workspace), config, data, trained))


@stage(name="what attribution needs")
def checks(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> tuple[list[int], list[Any]]:
    """Seeds to train with planted controls, whose adapters predict effects; and the adapters that share a probe."""
    [data] = get(workspace, "dataset", dataset)
    return measuring.checks(config), measuring.probing(data, adapters)


@stage(task_run_name="retrain: {job}")
def retrain(workspace: str, config: RunConfig, dataset: str, job: dict[str, Any]) -> State[Any]:
    """Train again on the rows that the job keeps; returns the retraining's id."""
    [data] = get(workspace, "dataset", dataset)
    return ended(training.retrained(Workspace.open_at(workspace), config, data, measuring.job_of(job)))


@stage(name="propose retrainings")
def propose(
    workspace: str,
    config: RunConfig,
    dataset: str,
    adapters: list[str],
    made: dict[str, list[str]],
    jobs: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """What to retrain next, given what is known; nothing when it is enough."""
    evidence = measuring.evidence(Workspace.open_at(workspace), dataset, adapters, made, jobs)
    return [job.model_dump() for job in measuring.proposed(config, evidence)]


@stage(name="combine seeds and retrainings")
def combine(
    workspace: str,
    config: RunConfig,
    dataset: str,
    adapters: list[str],
    made: dict[str, list[str]],
    jobs: list[dict[str, Any]],
) -> State[Any]:
    """Scores, shares, effects and the card; returns the attribution's id."""
    home = Workspace.open_at(workspace)
    return ended(results.attributed(home, config, measuring.evidence(home, dataset, adapters, made, jobs)))
