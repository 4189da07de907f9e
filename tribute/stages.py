"""Each stage of a run as one function: find its artifact or make it.

Commands, Prefect tasks and `dvc repro` all call these, so a result never depends on who asked. Sits above
the columns.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, read_artifact
from tribute.config import DatasetConfig, RunConfig
from tribute.errors import AttributionError, RegistryError
from tribute.progress import reporter
from tribute.rewards import write_period
from tribute.runs import record_run
from tribute.workspace import Workspace


def take_in(workspace: Workspace, dataset: DatasetConfig) -> None:
    """Contribute what the config's source holds, unless the version is released already.

    Raises RegistryError where there is neither a version nor a source. A source with a fault leaves nothing
    in the registry.
    """
    from tribute.contributions import Registry, read_jsonl, sources

    registry = Registry.create(workspace)
    if is_released(workspace, dataset) or dataset.source is None:
        return
    report = reporter("contributions")
    workspace.scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="source-", dir=workspace.scratch))
    try:
        report(0, 4)
        schema, submissions, evaluation = sources.write(dataset.source, dataset.name, folder)
        registry.check(submissions, schema)
        read_jsonl(evaluation, schema, f"evaluation of {dataset.name}")
        report(1, 4)
        registry.declare(schema)
        registry.contribute(submissions)
        report(2, 4)
        registry.seal_evaluation(dataset.name, evaluation)
        report(3, 4)
        registry.release(dataset.tag)
        report(4, 4)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def release(workspace: Workspace, tag: str) -> None:
    """Release what was contributed as a version, unless it is one already."""
    from tribute.contributions import Registry

    registry = Registry.open(workspace)
    if tag not in [version.tag for version in registry.versions()]:
        registry.release(tag)


def is_released(workspace: Workspace, dataset: DatasetConfig) -> bool:
    """Whether the version is released already. Raises what `refuse_source` does where it is not."""
    from tribute.contributions import Registry

    tags = [version.tag for version in Registry.open(workspace).versions()]
    if dataset.tag not in tags:
        refuse_source(dataset, tags)
    return dataset.tag in tags


def refuse_source(dataset: DatasetConfig, released: Sequence[str] = ()) -> None:
    """Look whether a version can be made from its source.

    Raises RegistryError where the config names none, ContributionError where a file of it is missing.
    """
    from tribute.contributions import sources

    if dataset.source is None:
        known = ", ".join(released) or "none"
        raise RegistryError(
            f"there is no dataset version {dataset.tag}; released: {known}. "
            f"Run `tribute release {dataset.tag}`, or give dataset.source"
        )
    sources.check(dataset.source)


def materialised(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version. Raises RegistryError where nobody may learn from it any more."""
    from tribute.contributions import Registry, materialise, refuse_learning

    registry = Registry.open(workspace)
    refuse_learning(registry, tag, datetime.now(UTC).date())
    return materialise(registry, tag, workspace.store)


def forget_tables(workspace: Workspace, contribution: str) -> list[str]:
    """Remove the tables that hold a contribution's rows; returns the tags of the versions they were of."""
    from tribute.contributions import read_description

    forgotten = []
    for dataset in list(workspace.store.all("dataset")):
        description = read_description(dataset)
        if contribution in description["contributions"]:
            shutil.rmtree(dataset.path)
            forgotten.append(str(description["tag"]))
    return forgotten


def found_dataset(workspace: Workspace, tag: str) -> Artifact:
    """The tables of a dataset version that was learned from. Raises RegistryError where there are none yet."""
    from tribute.contributions import Registry, find_materialised

    found = find_materialised(Registry.open(workspace), tag, workspace.store)
    if found is None:
        raise RegistryError(f"nothing was trained on {tag} yet; run `tribute finetune` first")
    return found


def baselines(workspace: Workspace, config: RunConfig, dataset: Artifact) -> Artifact:
    """What simple methods reach."""
    from tribute.finetuning import adapters

    return adapters.make_baselines(
        workspace.store, dataset, config.finetuning, workspace.scratch, reporter("baselines")
    )


def trained(workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int) -> Artifact:
    """The adapter of one seed, tracked in MLflow."""
    from tribute.finetuning import adapters
    from tribute.finetuning.tracking import Tracker

    tracker = Tracker(workspace.mlflow)
    return adapters.make_adapter(
        workspace.store,
        dataset,
        config.finetuning,
        seed,
        workspace.scratch,
        lambda folder: tracker.log_training(config.id, dataset, config.finetuning, seed, folder),
        reporter(f"fine-tune, seed {seed}"),
    )


def found_adapters(workspace: Workspace, config: RunConfig, dataset: Artifact) -> list[Artifact]:
    """The adapters of all seeds. Raises AttributionError where one is not trained yet."""
    from tribute.finetuning import adapters

    found = []
    for seed in config.finetuning.seeds:
        adapter = adapters.find_adapter(workspace.store, dataset, config.finetuning, seed)
        if adapter is None:
            raise AttributionError(f"seed {seed} is not trained on {config.dataset.tag}; run `tribute finetune` first")
        found.append(adapter)
    return found


def found_attribution(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]
) -> Artifact:
    """The attribution that `attributed` would make of these adapters. Raises AttributionError where there is none."""
    from tribute.attribution import credits
    from tribute.finetuning.adapters import find_retraining

    store, seed = workspace.store, config.finetuning.seeds[0]
    walked = _all_found([credits.find_credit(store, dataset, one, config.attribution) for one in adapters], config)
    names = to_leave_out(config, dataset, walked)
    without = _all_found([find_retraining(store, dataset, config.finetuning, seed, name) for name in names], config)
    retrainings = dict(zip(names, without, strict=True))
    made = credits.find_attribution(store, dataset, adapters, walked, retrainings, config.attribution)
    return _all_found([made], config)[0]


def _all_found(artifacts: Sequence[Artifact | None], config: RunConfig) -> list[Artifact]:
    found = [artifact for artifact in artifacts if artifact is not None]
    if len(found) < len(artifacts):
        raise AttributionError(f"{config.dataset.tag} is not attributed yet; run `tribute attribute` first")
    return found


def credited(workspace: Workspace, config: RunConfig, dataset: Artifact, adapter: Artifact) -> Artifact:
    """One seed's in-run credit."""
    from tribute.attribution import credits

    report = reporter(f"attribute, seed {adapter.identity['config']['seed']}")
    return credits.make_credit(
        workspace.store, dataset, adapter, config.attribution, config.finetuning, workspace.scratch, report
    )


def to_leave_out(config: RunConfig, dataset: Artifact, credits_: Sequence[Artifact]) -> list[str]:
    """The contributors whose effect is measured by retraining."""
    from tribute.attribution import credits

    return credits.leave_out(dataset, credits_, config.attribution)


def retrained(workspace: Workspace, config: RunConfig, dataset: Artifact, without: str) -> Artifact:
    """The first seed's training without one contributor."""
    from tribute.finetuning import adapters

    seed = config.finetuning.seeds[0]
    report = reporter(f"retrain without {without}")
    return adapters.make_retraining(
        workspace.store, dataset, config.finetuning, seed, without, workspace.scratch, report
    )


def attributed(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    credits_: Sequence[Artifact],
    retrainings: Mapping[str, Artifact],
) -> Artifact:
    """Shares, scores, effects and the card."""
    from tribute.attribution import credits

    return credits.make_attribution(workspace.store, dataset, adapters, credits_, retrainings, config.attribution)


def rewarded(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    attribution: Artifact,
) -> Artifact:
    """The period's allocation, journal, evidence and statements."""
    rewards = config.rewards
    return write_period(
        workspace=workspace,
        dataset=dataset,
        adapters=list(adapters),
        attribution=attribution,
        mlflow_runs=mlflow_runs(adapters),
        policy=rewards.policy,
        period=rewards.period,
        pool_amount=rewards.pool.amount,
        currency=rewards.pool.currency,
    )


def registered(workspace: Workspace, dataset: Artifact, adapter: Artifact) -> dict[str, Any]:
    """The adapter's place in the model registry: name, version and whether it is champion."""
    from tribute.finetuning.tracking import Tracker

    return asdict(Tracker(workspace.mlflow).register(dataset, adapter))


def mlflow_runs(adapters: Sequence[Artifact]) -> dict[str, str]:
    """Seed → MLflow run id."""
    return {str(adapter.identity["config"]["seed"]): str(adapter.provenance["mlflow_run_id"]) for adapter in adapters}


def beside(attribution: Artifact) -> dict[str, Any]:
    """The ids of the credits and retrainings that an attribution combined."""
    read = attribution.inputs
    return {
        "credits": [read[name] for name in sorted(read) if name.startswith("credit-")],
        "retrainings": {
            name.removeprefix("without-"): id_ for name, id_ in read.items() if name.startswith("without-")
        },
    }


def recorded(workspace: Workspace, config: RunConfig, made: Mapping[str, Any], started: str) -> str:
    """The run's record and `report.html`; returns the run's id. What was made before `started` counts as cached."""
    from tribute.report import write_report

    run_id = record_run(workspace, config, started=started, **_resolved(workspace, config, made))
    write_report(workspace, run_id, workspace.root / "report.html")
    return run_id


def _resolved(workspace: Workspace, config: RunConfig, made: Mapping[str, Any]) -> dict[str, Any]:
    store = workspace.store
    return {
        "dataset": store.get("dataset", made["dataset"]),
        "baselines": store.get("baselines", made["baselines"]),
        "adapters": [store.get("adapter", id_) for id_ in made["adapters"]],
        "credits": [store.get("credit", id_) for id_ in made["credits"]],
        "retrainings": [store.get("retraining", id_) for id_ in made["retrainings"].values()],
        "attribution": store.get("attribution", made["attribution"]),
        "rewards": read_artifact(workspace.rewards / config.rewards.period),
        "registered": made["registered"],
    }
