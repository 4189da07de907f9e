"""What one training says of leaving rows and contributors out, and the simple scores that it must beat.

`left_out.parquet`: `contributor_id, effect`, the effect of leaving all of a contributor's rows out by one Newton step
(newton.py), nats of mean evaluation loss, > 0 helped. `influence.parquet`: `row_id, contributor_id, end_of_training,
gradient_dot, embedding, bm25, tokens`, one line a training row, which rank rows only; where it was asked for, `replay`:
the effect of leaving the row out, in the same nats, exact to first order.
"""

import pandas as pd
import torch

from tribute.artifacts import Kind
from tribute.attribution.effects.baselines import gradient_dots, mean_bm25, similarity
from tribute.attribution.effects.newton import effects_of_leaving_out
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient
from tribute.attribution.measurement import Measurement, Run
from tribute.attribution.retraining.jobs import TrainedRows, checked_seeds
from tribute.finetuning.preparation.preparation import check_base, prepare
from tribute.finetuning.recording.trace import assign, trace_of
from tribute.finetuning.workers import Folders, Key
from tribute.progress import Progress

INFLUENCE = Kind("influence", __name__)


def influence_job(run: Run, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: see the module."""
    dataset, adapter, finetuning = run.dataset, run.adapter(seed), run.config.finetuning
    check_base(dataset, adapter, finetuning)
    trace = trace_of(adapter)
    ready = prepare(dataset, finetuning, folders.scratch, trace.seed)
    similar = similarity(ready)
    assign(ready.model.trainable(), trace.states[-1].theta)
    gradient = evaluation_gradient(ready.model, ready.evaluation)
    dots = gradient_dots(ready, torch.stack([gradient / trace.root, gradient]))
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
    left_out.to_parquet(folders.result / "left_out.parquet", index=False)
    if _replays(run):
        table["replay"] = replay_scores(ready.model, ready.train, trace, gradient[None], progress)[:, 0]
    table.to_parquet(folders.result / "influence.parquet", index=False)


def _replays(run: Run) -> bool:
    """Only the random removals of a full validation are compared with rows' effects."""
    return run.config.attribution.validation == "full"


def _key(run: Run, seed: int) -> Key:
    return Key({"dataset": run.dataset.id, "adapter": run.adapter(seed).id}, {"replay": _replays(run)})


EFFECTS = Measurement(INFLUENCE, "predict effects, seed {}", checked_seeds, _key, influence_job)
