"""What comes of a run: the period's draft, the record."""

from collections.abc import Mapping, Sequence
from typing import Any

from tribute.artifacts import Artifact, read_artifact
from tribute.attribution.measurement import recorded_measurements, seed_of
from tribute.config import RewardsConfig, RunConfig
from tribute.pipeline.runs.runs import Begun, RunResults, record_run
from tribute.pipeline.stages.tracked import track_report
from tribute.rewards.period import PaidFrom, PeriodRequest, find_period, write_period
from tribute.rewards.statements import write_early
from tribute.workspace import Workspace


def draft_period(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    attribution: Artifact,
) -> Artifact | None:
    """The draft of the period: allocation, journal, balances, payables and evidence; and its statements.

    None for a config without rewards, which touches no period.
    """
    rewards = config.rewards
    if rewards is None:
        return None
    paid_from = PaidFrom(dataset, adapters, attribution, mlflow_runs(adapters))
    draft = write_period(workspace, paid_from, _request(workspace, rewards))
    write_early(workspace, rewards.period)
    return draft


def is_drafted(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    attribution: Artifact,
) -> bool:
    """Whether `draft_period` has nothing to write."""
    if config.rewards is None:
        return True
    paid_from = PaidFrom(dataset, adapters, attribution, mlflow_runs(adapters))
    return find_period(workspace, paid_from, _request(workspace, config.rewards)) is not None


def _request(workspace: Workspace, rewards: RewardsConfig) -> PeriodRequest:
    """What a config's rewards ask of the period."""
    fees = [(pool.amount, pool.currency) for pool in rewards.pools]
    usage = workspace.usage / rewards.period if rewards.is_metered else rewards.usage
    return PeriodRequest(rewards.policy, rewards.period, fees, usage)


def mlflow_runs(adapters: Sequence[Artifact]) -> dict[str, str]:
    """Seed → MLflow run id."""
    return {str(seed_of(adapter)): str(adapter.provenance["mlflow_run_id"]) for adapter in adapters}


def record(workspace: Workspace, config: RunConfig, ids: Mapping[str, Any], begun: Begun) -> str:
    """The run's record and its report; returns the run's id. What was made before it began counts as cached."""
    from tribute.report.run_page import write_report

    results = _resolved(workspace, config, ids)
    run_id = record_run(workspace, config, results, begun)
    track_report(workspace, config, results.dataset, write_report(workspace, run_id))
    return run_id


def _resolved(workspace: Workspace, config: RunConfig, ids: Mapping[str, Any]) -> RunResults:
    store = workspace.store
    attribution = store.get("attribution", ids["attribution"])
    return RunResults(
        dataset=store.get("dataset", ids["dataset"]),
        baselines=store.get("baselines", ids["baselines"]),
        adapters=[store.get("adapter", id_) for id_ in ids["adapters"]],
        measured=[store.get(kind, id_) for kind, id_ in recorded_measurements(attribution).values()],
        attribution=attribution,
        rewards=None if config.rewards is None else read_artifact(workspace.rewards / config.rewards.period),
        registered=ids["registered"],
    )
