"""Who moved an answer: the index of an adapter, and the explanation made from it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.pipeline.measuring import Work
from tribute.pipeline.training import retrained_in_full
from tribute.progress import reporter
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.answers import Damping, Explanation, Question, Removal


def picking(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    attribution: Artifact,
    each: Callable[[Work, Sequence[Any]], list[Artifact]],
) -> "list[Removal]":
    """The first seed's retrainings on which an index picks its damping: the attribution's, and more if they are few."""
    from tribute.attribution.answers import index_artifact
    from tribute.attribution.retraining import TrainedRows

    rows = TrainedRows.trained(dataset)
    seed, proxy = config.finetuning.seeds[0], config.attribution.proxy
    found, added = index_artifact.picking_jobs(rows, seed, attribution.inputs, proxy)
    # By id, so that also retrainings which earlier code made are not made again.
    made = [workspace.store.get("retraining", attribution.inputs[f"retrained-{job}"]) for job in found]
    return index_artifact.removals(rows, found + added, made + each(retrained_in_full, added))


def indexed(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapter: Artifact,
    picking: "Sequence[Removal] | Damping",
) -> Artifact:
    """What it takes to say which rows moved an answer of this adapter's."""
    from tribute.attribution.answers import index_artifact

    report = reporter(f"index, seed {adapter.identity['config']['seed']}")
    return index_artifact.make_index(
        workspace.store, dataset, adapter, config.finetuning, picking, workspace.scratch, report
    )


def explained(
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    indexes: Sequence[Artifact],
    question: "Question",
) -> "Explanation":
    """Which contributors and rows moved an answer, by all adapters."""
    from tribute.attribution.answers import explain_answer

    confidence = config.attribution.confidence
    return explain_answer(dataset, adapters, indexes, config.finetuning, question, confidence, reporter("explain"))
