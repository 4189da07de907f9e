"""Each stage of a run as one function: find its artifact or make it.

Commands, Prefect tasks and `dvc repro` all call these, so a result never depends on who asked. Sits above
the columns.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tribute.artifacts import Artifact, read_artifact
from tribute.config import DatasetConfig, RunConfig
from tribute.errors import AttributionError, RegistryError
from tribute.progress import reporter
from tribute.rewards import write_early, write_period
from tribute.runs import record_run
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.attributions import Evidence
    from tribute.attribution.damping import Damping
    from tribute.attribution.explain import Explanation, Question
    from tribute.attribution.indexing import Removal
    from tribute.attribution.jobs import Job


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
    from tribute.attribution import attributions

    evidence = found_evidence(workspace, config, dataset, adapters)
    return _all_found([attributions.find_attribution(workspace.store, evidence, config.attribution)], config)[0]


def found_evidence(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]
) -> "Evidence":
    """What `gathered` would measure of these adapters. Raises AttributionError where something is not there."""

    def find(work: Work, items: Sequence[Any]) -> list[Artifact]:
        return _all_found([work(workspace, config, dataset, item, only_find=True) for item in items], config)

    return gathered(config, dataset, adapters, find)


def _all_found(artifacts: Sequence[Artifact | None], config: RunConfig) -> list[Artifact]:
    found = [artifact for artifact in artifacts if artifact is not None]
    if len(found) < len(artifacts):
        raise AttributionError(f"{config.dataset.tag} is not attributed yet; run `tribute attribute` first")
    return found


Work = Callable[..., Any]
"""`credited`, `planted`, `influenced` or `retrained`."""


def gathered(
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    each: Callable[[Work, Sequence[Any]], list[Artifact]],
) -> "Evidence":
    """All that the attribution is made from; `each` does one kind of work for several items."""
    from tribute.attribution.attributions import Evidence

    controls, replays = checks(config)
    evidence = Evidence(
        dataset,
        adapters,
        credits=each(credited, adapters),
        controls=each(planted, controls),
        influences=each(influenced, adapters[:replays]),
        retrainings={},
    )
    while jobs := proposed(config, evidence):
        evidence = replace(
            evidence, retrainings={**evidence.retrainings, **dict(zip(jobs, each(retrained, jobs), strict=True))}
        )
    return evidence


def evidence(
    workspace: Workspace,
    dataset: str,
    adapters: Sequence[str],
    made: Mapping[str, Sequence[str]],
    jobs: Sequence[Mapping[str, Any]],
) -> "Evidence":
    """What `gathered` gives, from the ids of the artifacts by kind; one retraining for each of `jobs`."""
    from tribute.attribution.attributions import Evidence

    store = workspace.store
    found = {kind: [store.get(kind, id_) for id_ in ids] for kind, ids in made.items()}
    return Evidence(
        store.get("dataset", dataset),
        [store.get("adapter", id_) for id_ in adapters],
        found["credit"],
        found["control"],
        found["influence"],
        dict(zip(map(job_of, jobs), found["retraining"], strict=True)),
    )


def job_of(fields: Mapping[str, Any]) -> "Job":
    """A retraining job from its fields: tasks hand it on as a plain mapping."""
    from tribute.attribution.jobs import Job

    return Job(**fields)


def checks(config: RunConfig) -> tuple[list[int], int]:
    """Seeds to train with planted controls, and how many adapters to replay, for the card."""
    from tribute.attribution.jobs import REPLAYS, SEEDS

    validation = config.attribution.validation
    return list(config.finetuning.seeds[: SEEDS[validation]]), REPLAYS[validation]


def proposed(config: RunConfig, evidence: "Evidence") -> "list[Job]":
    """The retrainings to make next; none when validation, precision or budget is satisfied."""
    from tribute.attribution.attributions import next_jobs

    return next_jobs(evidence, config.attribution, config.finetuning.seeds)


def credited(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapter: Artifact, only_find: bool = False
) -> Artifact | None:
    """One seed's in-run credit."""
    from tribute.attribution import credits

    if only_find:
        return credits.find_credit(workspace.store, dataset, adapter, config.attribution)
    report = reporter(f"attribute, seed {adapter.identity['config']['seed']}")
    return credits.make_credit(
        workspace.store, dataset, adapter, config.attribution, config.finetuning, workspace.scratch, report
    )


def planted(
    workspace: Workspace, config: RunConfig, dataset: Artifact, seed: int, only_find: bool = False
) -> Artifact | None:
    """A training with planted controls, and its credit."""
    from tribute.attribution import credits

    if only_find:
        return credits.find_control(workspace.store, dataset, seed, config.attribution, config.finetuning)
    report = reporter(f"planted controls, seed {seed}")
    return credits.make_control(
        workspace.store, dataset, seed, config.attribution, config.finetuning, workspace.scratch, report
    )


def influenced(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapter: Artifact, only_find: bool = False
) -> Artifact | None:
    """One seed's replay, and the simple scores it is held against."""
    from tribute.attribution import influence

    if only_find:
        return influence.find_influence(workspace.store, dataset, adapter)
    report = reporter(f"replay, seed {adapter.identity['config']['seed']}")
    return influence.make_influence(workspace.store, dataset, adapter, config.finetuning, workspace.scratch, report)


def retrained(
    workspace: Workspace, config: RunConfig, dataset: Artifact, job: "Job", only_find: bool = False
) -> Artifact | None:
    """A training on the rows that the job keeps, of the proxy where the config says so."""
    from tribute.attribution import jobs
    from tribute.finetuning import adapters

    table = pq.read_table(dataset.file("train.parquet"), columns=["row_id", "contributor_id"])
    rows = jobs.Population.of(*(table[name].to_pylist() for name in table.column_names))
    kept = [row_id for row_id, stays in zip(rows.row_ids, jobs.kept(job, rows), strict=True) if stays]
    by_proxy = config.attribution.proxy and job.design != jobs.IN_FULL
    finetuning = adapters.proxy_of(config.finetuning) if by_proxy else config.finetuning
    if only_find:
        return adapters.find_retraining(workspace.store, dataset, finetuning, job.seed, kept)
    report = reporter(f"retrain: {job}")
    return adapters.make_retraining(workspace.store, dataset, finetuning, job.seed, kept, workspace.scratch, report)


def picking(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    attribution: Artifact,
    each: Callable[[Work, Sequence[Any]], list[Artifact]],
) -> "list[Removal]":
    """The first seed's retrainings on which an index picks its damping: the attribution's, and more if they are few."""
    from tribute.attribution import indexing
    from tribute.attribution.jobs import Population

    table = pq.read_table(dataset.file("train.parquet"), columns=["row_id", "contributor_id"])
    rows = Population.of(*(table[name].to_pylist() for name in table.column_names))
    chosen = indexing.picking_jobs(rows, config.finetuning.seeds[0], attribution.inputs)
    # By id, so that also retrainings which earlier code made are not made again.
    found = {job: attribution.inputs.get(f"retrained-{job}") for job in chosen}
    made = [workspace.store.get("retraining", id_) for id_ in found.values() if id_]
    return indexing.removals(rows, chosen, made + each(retrained, [job for job, id_ in found.items() if not id_]))


def indexed(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapter: Artifact,
    picking: "Sequence[Removal] | Damping",
) -> Artifact:
    """What it takes to say which rows moved an answer of this adapter's."""
    from tribute.attribution import indexing

    report = reporter(f"index, seed {adapter.identity['config']['seed']}")
    return indexing.make_index(workspace.store, dataset, adapter, config.finetuning, picking, workspace.scratch, report)


def explained(
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    indexes: Sequence[Artifact],
    question: "Question",
) -> "Explanation":
    """Which contributors and rows moved an answer, by all adapters."""
    from tribute.attribution.explain import explain

    confidence = config.attribution.confidence
    return explain(dataset, adapters, indexes, config.finetuning, question, confidence, reporter("explain"))


def attributed(workspace: Workspace, config: RunConfig, evidence: "Evidence") -> Artifact:
    """Shares, scores, effects and the card."""
    from tribute.attribution import attributions

    return attributions.make_attribution(workspace.store, evidence, config.attribution)


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


def beside(attribution: Artifact) -> dict[str, list[str]]:
    """The ids of what an attribution combined, by kind."""
    read = attribution.inputs
    prefixes = {"credit": "credit-", "control": "control-", "influence": "influence-", "retraining": "retrained-"}
    return {kind: [read[name] for name in read if name.startswith(prefix)] for kind, prefix in prefixes.items()}


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
        "measured": [
            store.get(kind, id_) for kind in ("credit", "control", "influence", "retraining") for id_ in made[kind]
        ],
        "attribution": store.get("attribution", made["attribution"]),
        "rewards": read_artifact(workspace.rewards / config.rewards.period),
        "registered": made["registered"],
    }
