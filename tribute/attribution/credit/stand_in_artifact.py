"""The stand-in of a run as an artifact: what it reads, and what it says of every row.

`probe.safetensors`: what a `Probe` or a `Memory` is made of. `probe.json`: `length` (see either), `wanted` and `gained`
(what the fine-tune and the stand-in take off the evaluation loss, nats) and `sum` (of its credits, nats).
`credits.parquet`: `row_id`, its `credit` and what it is a mean of, `draw_0` …; `fold_0` … what each fold of the
evaluation alone says of it, nats; `slice_` and a slice's name: the part that this slice has in what it says along all
weights alike, nats; and `cluster`, the number of the rows of like content that it is among.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from torch import Tensor

from tribute.artifacts import Artifact, Kind
from tribute.attribution.credit.memory import Memory
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import (
    CLUSTERS,
    StandIn,
    are_settled,
    content_clusters,
    drawn_credits,
    path_credits,
)
from tribute.attribution.gradients.evaluation import slice_weights
from tribute.attribution.gradients.sample import fold_weights
from tribute.attribution.measurement import Measurement, Run
from tribute.errors import IntegrityError
from tribute.files import write_json
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.models.embeddings import embed_rows
from tribute.finetuning.models.row_models import LOGIT_SCALE, SentenceClassifier
from tribute.finetuning.preparation.preparation import check_base, prepare
from tribute.finetuning.workers import Folders, Key
from tribute.progress import Progress

KIND = Kind("probe", __name__)

ARRAYS = "probe.safetensors"
SCALE, SLICE = "scale", "slice_"


def stand_in_job(run: Run, item: None, folders: Folders, progress: Progress) -> None:
    """Runs in a child: fits the stand-in to what the adapters gained on average, and credits every row by it."""
    dataset, finetuning = run.dataset, run.config.finetuning
    gains = []
    for adapter in run.adapters:
        check_base(dataset, adapter, finetuning)
        facts = adapter.json("evaluation.json")
        gains.append(facts["before"]["loss"] - facts["loss"])
    ready = prepare(dataset, finetuning, folders.scratch)
    build = probe_of if isinstance(ready.model, SentenceClassifier) else memory_of
    stand_in = build(ready.model, ready.train, ready.evaluation).fitted(float(np.mean(gains)))
    count, rows = len(ready.evaluation), len(ready.train)
    even = np.full(count, 1 / count)
    draws = drawn_credits(stand_in, rows, even, progress)
    table = {"row_id": list(ready.train.row_ids), "credit": draws.mean(0)}
    table |= {f"draw_{number}": draw for number, draw in enumerate(draws)}
    table |= {f"fold_{number}": fold for number, fold in enumerate(folds_of(stand_in, draws, ready.evaluation))}
    slices = sorted(set(ready.evaluation.slices))
    readings = slice_weights(ready.evaluation.slices, slices, even)
    parts = path_credits(stand_in, rows, readings)
    table |= {f"{SLICE}{name}": part for name, part in zip(slices, parts, strict=True)}
    table["cluster"] = content_clusters(stand_in, CLUSTERS)
    pd.DataFrame(table).to_parquet(folders.result / "credits.parquet", index=False)
    arrays = {field.name: np.asarray(getattr(stand_in, field.name)) for field in fields(stand_in)}
    save_file(arrays, folders.result / ARRAYS)
    everything = np.ones(rows)
    facts = {
        "length": stand_in.length,
        "wanted": float(np.mean(gains)),
        "gained": float((stand_in.losses(0 * everything) - stand_in.losses(everything)).mean()),
        "sum": float(draws.mean(0).sum()),
    }
    write_json(folders.result / "probe.json", facts, sort_keys=True)


def folds_of(stand_in: StandIn, draws: np.ndarray, evaluation: EncodedRows) -> np.ndarray:
    """What each fold of the evaluation says of every row, nats [folds, rows].

    How folds differ from each other is asked along all weights alike, which needs no draws.
    """
    even = np.full(len(evaluation), 1 / len(evaluation))
    readings = np.hstack([even[:, None], fold_weights(evaluation.row_ids, even)])
    whole, *folds = path_credits(stand_in, draws.shape[1], readings)
    return np.asarray(draws.mean(0) + np.stack(folds) - whole)


def probe_of(model: Any, train: EncodedRows, evaluation: EncodedRows) -> Probe:
    """The probe of a SentenceClassifier before any adapter, not yet fitted."""
    return Probe(
        train=embed_rows(model.embed, train).numpy(),
        targets=np.array(train.targets, dtype=np.int64),
        evaluation=embed_rows(model.embed, evaluation).numpy(),
        answers=np.array(evaluation.targets, dtype=np.int64),
        head=model.head.cpu().numpy(),
        scale=LOGIT_SCALE,
    )


def memory_of(model: Any, train: EncodedRows, evaluation: EncodedRows) -> Memory:
    """The memory of a ResponseModel before any adapter, not yet fitted."""
    learned, asked = response_tokens(model, train), response_tokens(model, evaluation)
    states, labels, owners = zip(learned[:3], asked[:3], strict=True)
    return Memory.of(states, labels, owners, asked[3], len(train))


def response_tokens(model: Any, rows: EncodedRows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States [tokens, width], labels, rows and the base's probabilities of all response tokens, [tokens] each."""
    parts: list[list[np.ndarray]] = [[] for _ in range(4)]
    with torch.no_grad(), _read_by_head(model.network) as read:
        for chunk in sorted(rows.chunks(range(len(rows))), key=min):
            batch = model.placed(rows.collate(chunk))
            asked = {name: value for name, value in batch.items() if name != "labels"}
            output = model.network(**asked)
            labels = batch["labels"][:, 1:]
            row, place = (labels != IGNORED).nonzero(as_tuple=True)
            chances = output.logits[:, :-1][row, place].float().softmax(-1)
            token = labels[row, place]
            parts[0].append(read.pop()[:, :-1][row, place].float().cpu().numpy())
            parts[1].append(token.cpu().numpy())
            parts[2].append(np.array(list(chunk))[row.cpu().numpy()])
            parts[3].append(chances.gather(1, token[:, None])[:, 0].double().cpu().numpy())
    states, labels, owners, before = (np.concatenate(part) for part in parts)
    order = np.argsort(owners, kind="stable")
    return states[order], labels[order], owners[order], before[order]


@contextmanager
def _read_by_head(network: Any) -> Iterator[list[Tensor]]:
    """While open, collects what the output head reads in each pass, [rows, tokens, width].

    (Asked for all layers' states, transformers keeps them all, and finds none in a base that is shared out.)
    """
    read: list[Tensor] = []
    hook = network.get_output_embeddings().register_forward_pre_hook(lambda _, given: read.append(given[0]))
    try:
        yield read
    finally:
        hook.remove()


@lru_cache(maxsize=4)
def load_stand_in(folder: Path) -> Probe | Memory:
    """The stand-in in an artifact's folder."""
    arrays: dict[str, Any] = load_file(folder / ARRAYS)
    arrays |= {name: float(arrays[name]) for name in (SCALE, "length") if name in arrays}
    return Probe(**arrays) if SCALE in arrays else Memory(**arrays)


@lru_cache(maxsize=1024)
def predicted_utility(folder: Path, kept: bytes, rows: int) -> float:
    """U of the stand-in on the rows `kept` (bits of a bool array [rows]), nats.

    Kept, since every look at the evidence asks for it again; with one thread, whose sums have the same bytes anywhere.
    """
    weights = np.unpackbits(np.frombuffer(kept, np.uint8), count=rows).astype(float)
    with threadpool_limits(1):
        return -float(load_stand_in(folder).losses(weights).mean())


def credits_of(folder: Path, row_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each draw and each fold of the evaluation say of every row, nats [draws or folds, rows], and its cluster."""
    table = pd.read_parquet(folder / "credits.parquet").set_index("row_id").loc[list(row_ids)]
    draws, folds = (table.filter(regex=rf"^{kind}_\d+$").to_numpy().T for kind in ("draw", "fold"))
    return draws, folds, table["cluster"].to_numpy()


def slices_of(folder: Path, row_ids: Sequence[str]) -> pd.DataFrame:
    """What each slice of the evaluation adds to what is said of every row, nats, rows by slices."""
    table = pd.read_parquet(folder / "credits.parquet").set_index("row_id").loc[list(row_ids)]
    parts = table[[name for name in table if name.startswith(SLICE)]]
    return parts.rename(columns=lambda name: name.removeprefix(SLICE))


def check_clusters(recorded: Artifact, again: Artifact) -> None:
    """Raises IntegrityError where the recorded clusters are none that k-means ends with on the rows of `again`."""
    rows = pd.read_parquet(again.file("credits.parquet"), columns=["row_id"])["row_id"]
    *_, clusters = credits_of(recorded.path, list(rows))
    if not are_settled(load_stand_in(again.path), clusters):
        raise IntegrityError(
            f"{recorded.path / 'credits.parquet'}: rows are in clusters (column `cluster`) whose centre is not the "
            "nearest to them, so the file was not written by Tribute; attribute again"
        )


def _key(run: Run, item: None) -> Key:
    adapters = {f"adapter-{place}": adapter.id for place, adapter in enumerate(run.adapters)}
    return Key({"dataset": run.dataset.id} | adapters, {})


STAND_IN = Measurement(KIND, "stand-in", lambda run: [None], _key, stand_in_job, is_paid_by=True)
"""All adapters share one."""
