"""Who moved an answer: the index of an adapter, and the explanation made from it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tribute.artifacts import Artifact
from tribute.attribution.measurement import Run
from tribute.pipeline.stages.measuring import retrain_in_full
from tribute.progress import reporter

if TYPE_CHECKING:
    from tribute.attribution.answers import Damping, Explanation, Question, Removal
    from tribute.attribution.retraining import Job


def damping_removals(
    run: Run, attribution: Artifact, each: Callable[[Callable[["Job"], Artifact], Sequence["Job"]], list[Artifact]]
) -> "list[Removal]":
    """The first seed's retrainings on which an index picks its damping: the attribution's, and more if they are few."""
    from tribute.attribution.answers import picking_jobs, removals
    from tribute.attribution.retraining import TrainedRows

    rows = TrainedRows.trained(run.dataset, run.config.finetuning.validation)
    seed, proxy = run.config.finetuning.seeds[0], run.config.attribution.proxy
    recorded, added = picking_jobs(rows, seed, attribution.inputs, proxy)
    # By id, so that also retrainings which earlier code made are not made again.
    kept = [run.store.get("retraining", attribution.inputs[f"retrained-{job}"]) for job in recorded]
    retrained = each(lambda job: retrain_in_full(run, job), added)
    return removals(rows, recorded + added, kept + retrained)


def index(run: Run, adapter: Artifact, picking: "Sequence[Removal] | Damping") -> Artifact:
    """What it takes to say which rows moved an answer of this adapter's."""
    from tribute.attribution.answers import index as index_recipe

    recipe = index_recipe(run.dataset, adapter, run.config.finetuning, picking)
    return recipe.make(run.store, run.scratch, reporter(recipe.title))


def explain(run: Run, indexes: Sequence[Artifact], question: "Question") -> "Explanation":
    """Which contributors and rows moved an answer, by all adapters."""
    from tribute.attribution.answers import explain_answer

    return explain_answer(run, indexes, question, reporter("explain"))
