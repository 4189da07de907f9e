"""What one training says of leaving rows and contributors out, and the simple scores that it must beat.

`left_out.parquet`: `contributor_id, effect`, the effect of leaving all of a contributor's rows out by one Newton step
(newton.py), nats of mean evaluation loss, > 0 helped. `influence.parquet`: `row_id, contributor_id, end_of_training,
gradient_dot, embedding, bm25, tokens`, one line a training row, which rank rows only; where it was asked for, `replay`:
the effect of leaving the row out, in the same nats, exact to first order.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from tribute.artifacts import Artifact, Store
from tribute.attribution.capture import capture, stream_gradients
from tribute.attribution.credits import check_base
from tribute.attribution.gradients import evaluation_gradient
from tribute.attribution.jobs import Population
from tribute.attribution.newton import effects_of_leaving_out
from tribute.attribution.replay import replay_scores
from tribute.config import FinetuningConfig
from tribute.finetuning.children import Progress, run_child
from tribute.finetuning.models import RowModel, SentenceClassifier
from tribute.finetuning.preparation import Prepared, prepare
from tribute.finetuning.rows import EncodedRows
from tribute.finetuning.trace import Trace, assign, trace_of

K1, B = 1.2, 0.75
"""BM25's usual constants."""


def find_influence(store: Store, dataset: Artifact, adapter: Artifact, replay: bool) -> Artifact | None:
    """The influence of this adapter's rows, if it was computed before."""
    return store.find("influence", {"dataset": dataset.id, "adapter": adapter.id}, {"replay": replay})


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

    return store.make("influence", {"dataset": dataset.id, "adapter": adapter.id}, {"replay": replay}, build)


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
    rows = Population.of(ready.train.row_ids, ready.contributors)
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


def gradient_dots(ready: Prepared, directions: Tensor) -> np.ndarray:
    """Each training row's gradient at the model's present parameters times each direction, [rows, directions]."""
    dots = np.zeros((len(ready.train), len(directions)))
    with capture(ready.model) as opened:
        for chunk in ready.train.chunks(range(len(ready.train))):
            found = torch.zeros(len(chunk), len(directions), device=directions.device)

            def score(name: str, part: slice, gradients: Tensor, found: Tensor = found) -> None:
                found[part] += gradients.flatten(1) @ directions[:, opened.places[name]].T

            stream_gradients(ready.model, opened, ready.train.collate(chunk), score)
            dots[list(chunk)] = found.double().cpu().numpy()
    return dots


def mean_bm25(texts: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    """Mean BM25 score (Robertson & Zaragoza 2009) of each text over the queries, [texts]."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    counts = words.fit_transform(texts).tocoo()
    asked = np.asarray(words.transform(queries).mean(axis=0)).ravel()
    holding = np.bincount(counts.col, minlength=counts.shape[1])
    rarity = np.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
    length = np.bincount(counts.row, weights=counts.data, minlength=len(texts))
    long = K1 * (1 - B + B * length / length.mean())
    weight = rarity[counts.col] * asked[counts.col] * counts.data * (K1 + 1) / (counts.data + long[counts.row])
    return np.bincount(counts.row, weights=weight, minlength=len(texts))


def similarity(ready: Prepared) -> np.ndarray:
    """Mean cosine of each training row's embedding with the evaluation rows' before any training, [rows]."""
    train, evaluation = (embeddings(ready.model, rows) for rows in (ready.train, ready.evaluation))
    return np.asarray((train @ evaluation.mean(0)).numpy())


def embeddings(model: RowModel, rows: EncodedRows) -> Tensor:
    """Unit-length embeddings, float32 [rows, width]: the classifier's own, or the mean of a causal model's input's."""
    found = torch.zeros(0)
    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            batch = {name: value.to(model.device) for name, value in rows.collate(chunk).items()}
            if isinstance(model, SentenceClassifier):
                own = model.embed(batch)
            else:
                words = model.network.get_input_embeddings()(batch["input_ids"])
                own = functional.normalize((words * batch["attention_mask"].unsqueeze(-1)).sum(1), dim=-1)
            if not len(found):
                found = torch.zeros(len(rows), own.shape[1])
            found[list(chunk)] = own.float().cpu()
    return found
