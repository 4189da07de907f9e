"""Who moved an answer: the index of an adapter, and the explanation made from it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.progress import reporter
from tribute.stages.evidence import Work
from tribute.stages.work import retrained_in_full
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.damping import Damping
    from tribute.attribution.explain import Explanation, Question
    from tribute.attribution.indexing import Removal


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

    rows = Population.trained(dataset)
    seed, proxy = config.finetuning.seeds[0], config.attribution.proxy
    found, added = indexing.picking_jobs(rows, seed, attribution.inputs, proxy)
    # By id, so that also retrainings which earlier code made are not made again.
    made = [workspace.store.get("retraining", attribution.inputs[f"retrained-{job}"]) for job in found]
    return indexing.removals(rows, found + added, made + each(retrained_in_full, added))


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
