"""What comes of a run: the attribution, the period's draft, the registered model, the record."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tribute.artifacts import Artifact, read_artifact
from tribute.config import RunConfig
from tribute.pipeline.runs import record_run
from tribute.rewards.period import write_period
from tribute.rewards.statements import write_early
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.shares import Measurements


def attributed(workspace: Workspace, config: RunConfig, evidence: "Measurements") -> Artifact:
    """Shares, scores, effects and the card."""
    from tribute.attribution import combine

    return combine.make_attribution(workspace.store, evidence, config.attribution)


def rewarded(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    attribution: Artifact,
) -> Artifact:
    """The draft of the period: allocation, journal, balances, payables and evidence; and its statements."""
    rewards = config.rewards
    made = write_period(
        workspace=workspace,
        dataset=dataset,
        adapters=list(adapters),
        attribution=attribution,
        mlflow_runs=mlflow_runs(adapters),
        policy=rewards.policy,
        period=rewards.period,
        fees=[(pool.amount, pool.currency) for pool in rewards.pools],
        usage=rewards.usage,
    )
    write_early(workspace, rewards.period)
    return made


def registered(workspace: Workspace, dataset: Artifact, adapter: Artifact) -> dict[str, Any]:
    """The adapter's place in the model registry: name, version and whether it is champion."""
    from tribute.finetuning.tracking import Tracker

    return asdict(Tracker(workspace.mlflow).register(dataset, adapter))


def mlflow_runs(adapters: Sequence[Artifact]) -> dict[str, str]:
    """Seed → MLflow run id."""
    return {str(adapter.identity["config"]["seed"]): str(adapter.provenance["mlflow_run_id"]) for adapter in adapters}


def recorded(workspace: Workspace, config: RunConfig, made: Mapping[str, Any], started: str) -> str:
    """The run's record and `report.html`; returns the run's id. What was made before `started` counts as cached."""
    from tribute.report.run_page import write_report

    run_id = record_run(workspace, config, started=started, **_resolved(workspace, config, made))
    write_report(workspace, run_id, workspace.root / "report.html")
    return run_id


def _resolved(workspace: Workspace, config: RunConfig, made: Mapping[str, Any]) -> dict[str, Any]:
    store = workspace.store
    return {
        "dataset": store.get("dataset", made["dataset"]),
        "baselines": store.get("baselines", made["baselines"]),
        "adapters": [store.get("adapter", id_) for id_ in made["adapters"]],
        "measured": [
            store.get(kind, id_)
            for kind in ("credit", "control", "influence", "probe", "retraining")
            for id_ in made[kind]
        ],
        "attribution": store.get("attribution", made["attribution"]),
        "rewards": read_artifact(workspace.rewards / config.rewards.period),
        "registered": made["registered"],
    }
