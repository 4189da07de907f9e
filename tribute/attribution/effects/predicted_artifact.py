"""What one training says of leaving rows and contributors out, and the simple scores that it must beat.

`left_out.parquet`: `contributor_id, effect`, the effect of leaving all of a contributor's rows out by one Newton step
(newton.py), nats of mean evaluation loss, > 0 helped. `influence.parquet`: `row_id, contributor_id, end_of_training,
gradient_dot, embedding, bm25, tokens`, one line a training row, which rank rows only; where it was asked for, `replay`:
the effect of leaving the row out, in the same nats, exact to first order.
"""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from tribute.artifacts import Artifact, Kind, Store
from tribute.attribution.effects.baselines import gradient_dots, mean_bm25, similarity
from tribute.attribution.effects.newton import effects_of_leaving_out
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.config import FinetuningConfig
from tribute.finetuning.preparation import check_base, prepare
from tribute.finetuning.trace import Trace, assign, trace_of
from tribute.finetuning.workers import Progress, run_child

INFLUENCE = Kind("influence", __name__)


def find_influence(store: Store, dataset: Artifact, adapter: Artifact, replay: bool) -> Artifact | None:
    """The influence of this adapter's rows, if it was computed before."""
    return store.find(INFLUENCE, {"dataset": dataset.id, "adapter": adapter.id}, {"replay": replay})


def make_influence(
    store: Store,
    dataset: Artifact,
    adapter: Artifact,
    replay: bool,
    finetuning: FinetuningConfig,
    scratch: Path,
    progress: Progress,
) -> Artifact:
    """What one adapter's training says, in a child process."""

    def build(folder: Path) -> None:
        arguments = (dataset, adapter, replay, finetuning, scratch, folder)
        run_child(influence_job, *arguments, timeout_seconds=60.0 * finetuning.timeout_minutes, progress=progress)

    return store.make(INFLUENCE, {"dataset": dataset.id, "adapter": adapter.id}, {"replay": replay}, build)


def influence_job(
    dataset: Artifact,
    adapter: Artifact,
    replay: bool,
    finetuning: FinetuningConfig,
    scratch: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: see the module."""
    check_base(dataset, adapter, finetuning)
    trace = trace_of(adapter)
    ready = prepare(dataset, finetuning, scratch, trace.seed)
    similar = similarity(ready)
    assign(ready.model.trainable(), trace.states[-1].theta)
    gradient = evaluation_gradient(ready.model, ready.evaluation)
    dots = gradient_dots(ready, torch.stack([gradient / adam_root(trace), gradient]))
    texts = (pd.read_parquet(dataset.file(f"{part}.parquet"))["text"].tolist() for part in ("train", "evaluation"))
    table = pd.DataFrame(
        {
            "row_id": list(ready.train.row_ids),
            "contributor_id": ready.contributors,
            "end_of_training": dots[:, 0],
            "gradient_dot": dots[:, 1],
            "embedding": similar,
            "bm25": mean_bm25(*texts),
            "tokens": ready.train.lengths(),
        }
    )
    rows = TrainedRows.of(ready.train.row_ids, ready.contributors)
    effects = effects_of_leaving_out(ready.model, ready.train, ready.evaluation, trace, rows.owner, progress)
    left_out = pd.DataFrame({"contributor_id": rows.names, "effect": effects})
    left_out.to_parquet(folder / "left_out.parquet", index=False)
    if replay:
        table["replay"] = replay_scores(ready.model, ready.train, trace, gradient[None], progress)[:, 0]
    table.to_parquet(folder / "influence.parquet", index=False)


def adam_root(trace: Trace) -> Tensor:
    """√(v̂ + ε²) at the trace's end, [parameters]: what Adam divides its momentum by."""
    end, adam = trace.states[-1], trace.adam
    return (end.v / (1 - adam.beta2**end.step) + adam.eps**2).sqrt()
