"""The probe of a run as an artifact: what it reads, and what it says of every block of contributors.

`probe.safetensors`: what a `Probe` is made of. `probe.json`: `length` of its steps, `wanted` and `gained` (what the
fine-tune and the probe take off the evaluation loss, nats), `blocks` (each contributor's block, contributors sorted),
`credit` and `folds`, what the whole evaluation and each fold of it say of each block, nats.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits

from tribute.artifacts import Kind
from tribute.attribution.credit.probe import FACTORS, Probe
from tribute.attribution.gradients.sample import fold_weights
from tribute.attribution.measurement import Measurement, Run
from tribute.attribution.retraining import designs
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.files import write_json
from tribute.finetuning.encoding import EncodedRows
from tribute.finetuning.models import LOGIT_SCALE
from tribute.finetuning.preparation import check_base, prepare
from tribute.finetuning.task_types import task_type
from tribute.finetuning.workers import Folders, Key
from tribute.progress import Progress

KIND = Kind("probe", __name__)

ARRAYS = "probe.safetensors"


def probe_job(run: Run, item: None, folders: Folders, progress: Progress) -> None:
    """Runs in a child: trains probes, matched to what the adapters gained on average; see the module."""
    dataset, finetuning = run.dataset, run.config.finetuning
    gains = []
    for adapter in run.adapters:
        check_base(dataset, adapter, finetuning)
        facts = adapter.json("evaluation.json")
        gains.append(facts["before"]["loss"] - facts["loss"])
    ready = prepare(dataset, finetuning, folders.scratch)
    probe = probe_of(ready.model, ready.train, ready.evaluation).fitted(float(np.mean(gains)))
    rows, count = TrainedRows.of(ready.train.row_ids, ready.contributors), len(ready.evaluation)
    blocks, even = designs.assign_blocks(rows.owner, FACTORS, 0), np.full(count, 1 / count)
    weights = np.hstack([even[:, None], fold_weights(ready.evaluation.row_ids, even)])
    credit, *folds = probe.credits(rows.owner, blocks, weights, progress)
    everything = np.ones(len(rows.owner), dtype=bool)
    facts = {
        "length": probe.length,
        "wanted": float(np.mean(gains)),
        "gained": float((probe.losses(~everything) - probe.losses(everything)).mean()),
        "blocks": blocks.tolist(),
        "credit": credit.tolist(),
        "folds": [fold.tolist() for fold in folds],
    }
    save_file(
        {name: array for name, array in vars(probe).items() if isinstance(array, np.ndarray)}, folders.result / ARRAYS
    )
    write_json(folders.result / "probe.json", facts, sort_keys=True)


def probe_of(model: Any, train: EncodedRows, evaluation: EncodedRows) -> Probe:
    """The probe of a SentenceClassifier before any adapter, still without a length of step."""
    from tribute.finetuning.embeddings import embed_rows

    return Probe(
        train=embed_rows(model.embed, train).numpy(),
        targets=np.array(train.targets, dtype=np.int64),
        evaluation=embed_rows(model.embed, evaluation).numpy(),
        answers=np.array(evaluation.targets, dtype=np.int64),
        head=model.head.numpy(),
        scale=LOGIT_SCALE,
    )


@lru_cache(maxsize=4)
def load_probe(folder: Path, length: float) -> Probe:
    """The probe in an artifact's folder, with the length of its steps."""
    return Probe(**load_file(folder / ARRAYS), scale=LOGIT_SCALE, length=length)


@lru_cache(maxsize=1024)
def drawn(folder: Path, length: float, owner: tuple[int, ...], blocks: tuple[int, ...], number: int) -> np.ndarray:
    """What the probe says of one repetition of a rate design, nats [blocks]: see `Probe.effects`.

    Kept, since every look at the evidence asks for it again; with one thread, whose sums have the same bytes anywhere.
    """
    probe = load_probe(folder, length)
    runs = designs.rate_design(np.array(owner), np.array(blocks), number, [0])
    with threadpool_limits(1):
        return probe.effects(runs, np.full(len(probe.answers), 1 / len(probe.answers)))


def _items(run: Run) -> list[None]:
    """All adapters share a probe, where the task has one."""
    return [None] if task_type(run.dataset).has_probe else []


def _key(run: Run, item: None) -> Key:
    adapters = {f"adapter-{place}": adapter.id for place, adapter in enumerate(run.adapters)}
    return Key({"dataset": run.dataset.id} | adapters, {})


PROBE = Measurement(KIND, "train probes", _items, _key, probe_job, is_paid_by=True)
