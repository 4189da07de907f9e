"""What an attribution is made from: gathered, found, or put together from ids."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import AttributionError
from tribute.pipeline.training import credited, influenced, planted, probed, retrained
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.retraining import Job
    from tribute.attribution.shares import Measurements

Work = Callable[..., Any]
"""`credited`, `planted`, `influenced`, `probed` or `retrained`."""


def gathered(
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    each: Callable[[Work, Sequence[Any]], list[Artifact]],
) -> "Measurements":
    """All that the attribution is made from; `each` does one kind of work for several items."""
    from tribute.attribution.shares import Measurements

    seeds = checks(config)
    evidence = Measurements(
        dataset,
        adapters,
        credits=each(credited, adapters),
        controls=each(planted, seeds),
        influences=each(influenced, adapters[: len(seeds)]),
        probes=each(probed, probing(dataset, adapters)),
        retrainings={},
    )
    while jobs := proposed(config, evidence):
        evidence = replace(
            evidence, retrainings={**evidence.retrainings, **dict(zip(jobs, each(retrained, jobs), strict=True))}
        )
    return evidence


def found_evidence(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]
) -> "Measurements":
    """What `gathered` would measure of these adapters. Raises AttributionError where something is not there."""

    def find(work: Work, items: Sequence[Any]) -> list[Artifact]:
        return _all_found([work(workspace, config, dataset, item, only_find=True) for item in items], config)

    return gathered(config, dataset, adapters, find)


def found_attribution(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]
) -> Artifact:
    """The attribution that `attributed` would make of these adapters. Raises AttributionError where there is none."""
    from tribute.attribution import combine

    evidence = found_evidence(workspace, config, dataset, adapters)
    return _all_found([combine.find_attribution(workspace.store, evidence, config.attribution)], config)[0]


def _all_found(artifacts: Sequence[Artifact | None], config: RunConfig) -> list[Artifact]:
    found = [artifact for artifact in artifacts if artifact is not None]
    if len(found) < len(artifacts):
        raise AttributionError(f"{config.dataset.tag} is not attributed yet; run `tribute attribute` first")
    return found


def evidence(
    workspace: Workspace,
    dataset: str,
    adapters: Sequence[str],
    made: Mapping[str, Sequence[str]],
    jobs: Sequence[Mapping[str, Any]],
) -> "Measurements":
    """What `gathered` gives, from the ids of the artifacts by kind; one retraining for each of `jobs`."""
    from tribute.attribution.shares import Measurements

    store = workspace.store
    found = {kind: [store.get(kind, id_) for id_ in ids] for kind, ids in made.items()}
    return Measurements(
        store.get("dataset", dataset),
        [store.get("adapter", id_) for id_ in adapters],
        found["credit"],
        found["control"],
        found["influence"],
        found["probe"],
        dict(zip(map(job_of, jobs), found["retraining"], strict=True)),
    )


def job_of(fields: Mapping[str, Any]) -> "Job":
    """A retraining job from its fields: tasks hand it on as a plain mapping."""
    from tribute.attribution.retraining import Job

    return Job(**fields)


def checks(config: RunConfig) -> list[int]:
    """The seeds that are trained with planted controls, and whose trainings predict effects, for the card."""
    from tribute.attribution.retraining import SEEDS

    return list(config.finetuning.seeds[: SEEDS[config.attribution.validation]])


def probing(dataset: Artifact, adapters: Sequence[Any]) -> list[Sequence[Any]]:
    """The adapters that share a probe: all of them for classification, else there is none."""
    from tribute.finetuning.preparation import task_of

    return [adapters] if task_of(dataset) == "sequence-classification" else []


def proposed(config: RunConfig, evidence: "Measurements") -> "list[Job]":
    """The retrainings to make next; none when validation, precision or budget is satisfied."""
    from tribute.attribution.combine import next_jobs

    return next_jobs(evidence, config.attribution, config.finetuning.seeds)


def beside(attribution: Artifact) -> dict[str, list[str]]:
    """The ids of what an attribution combined, by kind."""
    read = attribution.inputs
    prefixes = {kind: f"{kind}-" for kind in ("credit", "control", "influence", "probe")} | {"retraining": "retrained-"}
    return {kind: [read[name] for name in read if name.startswith(prefix)] for kind, prefix in prefixes.items()}
