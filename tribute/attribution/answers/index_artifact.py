"""The index of one adapter as an artifact: what it takes to say which rows and contributors moved an answer.

`index.json`: `seed, rows, rows_per_shard, contributors (list), width, damping, slope, lds, retrainings`.
`rows.parquet`: `row_id, contributor_id` in the order of the shards. `contributors.safetensors`: `vectors` float32
[contributors, parameters], the sum of each one's rows' preconditioned gradients: times the gradient of an answer's
loss it is what leaving the contributor out would add to that loss, nats. `curvature.safetensors` and `shards/`: the
same for single rows.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tribute.artifacts import Artifact, Kind
from tribute.attribution.answers.damping import DAMPINGS, Damping, pick_damping
from tribute.attribution.answers.row_index import ROWS_PER_SHARD, SHARDS, WIDTH, collect
from tribute.attribution.gradients.curvature import Curvature, draws, fit, midpoints
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.attribution.gradients.sample import stratified_sample
from tribute.attribution.gradients.tensors import save_checked
from tribute.attribution.gradients.trace_walk import check_trace
from tribute.attribution.measurement import seed_of
from tribute.attribution.retraining.jobs import IN_FULL, REMOVALS, Job, TrainedRows, row_mask
from tribute.config import FinetuningConfig
from tribute.files import write_json
from tribute.finetuning.preparation.preparation import Prepared, check_base, prepare
from tribute.finetuning.recording.trace import Trace, trace_of
from tribute.finetuning.workers import Folders, Key, Recipe
from tribute.progress import Progress

INDEX = Kind("index", __name__)

PICKED_ON = (8, 24)
"""On how many retrainings the damping is picked: at least and at most."""
ANSWERS = 256
"""Evaluation rows that stand for answers when the damping is picked."""
CURVATURE, CONTRIBUTORS, ROWS, FACTS = (
    "curvature.safetensors",
    "contributors.safetensors",
    "rows.parquet",
    "index.json",
)


@dataclass(frozen=True)
class Removal:
    """A retraining on all rows but these."""

    removed: frozenset[str]
    retraining: Artifact


def picking_jobs(rows: TrainedRows, seed: int, made: Collection[str], proxy: bool) -> tuple[list[Job], list[Job]]:
    """The retrainings of one seed on which to pick the damping: those that an attribution made, and those to add.

    `made` are the names of its inputs, random removals go first. An index is of the whole training, so of an
    attribution by proxy only what it left out in full counts. Where these are too few, removals are added.
    """
    removed = [Job(design="removal", seed=seed, number=number) for number in range(REMOVALS)]
    without = [Job(design=IN_FULL if proxy else "leave-out", seed=seed, contributor=name) for name in rows.names]
    usable = without if proxy else removed + without
    reused = [job for job in usable if f"retrained-{job}" in made][: PICKED_ON[1]]
    added = [job for job in removed if job not in reused][: max(0, PICKED_ON[0] - len(reused))]
    return reused, added


def removals(rows: TrainedRows, jobs: Sequence[Job], retrainings: Sequence[Artifact]) -> list[Removal]:
    """Each job's retraining and the rows that it left out."""
    ids = np.array(rows.row_ids)
    return [
        Removal(frozenset(ids[~row_mask(job, rows)].tolist()), made)
        for job, made in zip(jobs, retrainings, strict=True)
    ]


def index(
    dataset: Artifact, adapter: Artifact, finetuning: FinetuningConfig, picking: Sequence[Removal] | Damping
) -> Recipe:
    """The index of one adapter's training rows; `picking` holds retrainings of its seed, or the damping."""
    inputs = {"dataset": dataset.id, "adapter": adapter.id}
    settings: dict[str, Any] = {"width": WIDTH}
    if isinstance(picking, Damping):
        settings["damping"] = asdict(picking)
    else:
        inputs |= {f"removal-{place}": removal.retraining.id for place, removal in enumerate(picking)}
    arguments, title = (dataset, adapter, finetuning, picking), f"index, seed {seed_of(adapter)}"
    return Recipe(INDEX, Key(inputs, settings), title, index_job, arguments, finetuning.timeout_minutes)


def index_job(
    dataset: Artifact,
    adapter: Artifact,
    finetuning: FinetuningConfig,
    picking: Sequence[Removal] | Damping,
    folders: Folders,
    progress: Progress,
) -> None:
    """Runs in a child: see `index`. What a killed job had collected lies in its checkpoints, and is found again."""
    folder, own = folders.result, folders.checkpoints
    check_base(dataset, adapter, finetuning)
    trace = trace_of(adapter)
    ready = prepare(dataset, finetuning, folders.scratch, trace.seed)
    check_trace(ready.model, ready.train, trace)
    removals = [] if isinstance(picking, Damping) else list(picking)
    drawn = sum(draws(len(ready.train)))
    steps = drawn + len(ready.train)
    curvature = _curvature(ready, trace, own / CURVATURE, lambda done, _: progress(done, steps))
    names = sorted(set(ready.contributors))
    sums = collect(
        own,
        len(ready.train),
        torch.zeros(len(names) + len(removals), len(curvature.metric)),
        _measure(ready, trace, curvature, _groups(ready, names, removals)),
        ROWS_PER_SHARD,
        progress=lambda done, _: progress(drawn + done, steps),
    )
    sums = sums / len(ready.train)
    owned, removed = sums[: len(names)], sums[len(names) :]
    picked = picking if isinstance(picking, Damping) else _picked(ready, trace, curvature, removed, removals)
    vectors = picked.slope * curvature.precondition(owned, picked.damping)
    save_checked(folder / CONTRIBUTORS, {"vectors": vectors})
    shutil.copy(own / CURVATURE, folder / CURVATURE)
    shutil.copytree(own / SHARDS, folder / SHARDS, copy_function=os.link)
    rows = {"row_id": list(ready.train.row_ids), "contributor_id": ready.contributors}
    pd.DataFrame(rows).to_parquet(folder / ROWS, index=False)
    facts = {"seed": trace.seed, "contributors": names, "width": _width(curvature)}
    facts |= {"rows": len(ready.train), "rows_per_shard": ROWS_PER_SHARD}
    write_json(folder / FACTS, facts | asdict(picked), sort_keys=True)


def damping_of(index: Artifact) -> Damping:
    """What was picked when the index was made."""
    facts = index.json(FACTS)
    return Damping(**{name: facts[name] for name in Damping.__dataclass_fields__})


def _curvature(ready: Prepared, trace: Trace, path: Path, progress: Callable[[int, int], None]) -> Curvature:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        curvature = fit(ready.model, ready.train, midpoints(trace), trace.metric, trace.seed, progress)
        curvature.save(path)
    # Also what was fitted just now is read back, so that a job that was cut off ends with the same bytes.
    return Curvature.load(path)


def _width(curvature: Curvature) -> int:
    return min(WIDTH, len(curvature.metric))


def _groups(ready: Prepared, names: Sequence[str], removals: Sequence[Removal]) -> Tensor:
    """Which rows belong to each contributor and each removal, float32 [contributors + removals, rows]."""
    owned = [[float(owner == name) for owner in ready.contributors] for name in names]
    removed = [[float(row_id in removal.removed) for row_id in ready.train.row_ids] for removal in removals]
    return torch.tensor(owned + removed)


def _measure(
    ready: Prepared, trace: Trace, curvature: Curvature, groups: Tensor
) -> Callable[[Sequence[int]], Iterator[tuple[Sequence[int], Tensor, Tensor]]]:
    points, width = midpoints(trace), _width(curvature)

    def measure(wanted: Sequence[int]) -> Iterator[tuple[Sequence[int], Tensor, Tensor]]:
        for chunk, gradients in row_gradients_of(ready.model, ready.train, wanted, points):
            yield chunk, curvature.coordinates(gradients, width), groups[:, chunk].to(gradients.device) @ gradients

    return measure


def _picked(
    ready: Prepared, trace: Trace, curvature: Curvature, removed: Tensor, removals: Sequence[Removal]
) -> Damping:
    """The damping that ranks the retrainings best on a part of the evaluation rows."""
    chosen, _ = stratified_sample(ready.evaluation.slices, ANSWERS)
    answers = ready.evaluation.take(chosen)
    moved = {damping: curvature.precondition(removed, damping) for damping in DAMPINGS}
    predicted = {damping: np.zeros((len(removals), len(answers))) for damping in DAMPINGS}
    for chunk, gradients in row_gradients_of(ready.model, answers, range(len(answers)), [trace.states[-1].theta]):
        for damping, vectors in moved.items():
            predicted[damping][:, chunk] = (vectors @ gradients.T).double().cpu().numpy()
    measured = [_losses(removal.retraining, answers.row_ids) for removal in removals]
    return pick_damping(predicted, np.stack(measured))


def _losses(retraining: Artifact, row_ids: Sequence[str]) -> np.ndarray:
    losses: Mapping[str, float] = pd.read_parquet(retraining.file("losses.parquet")).set_index("row_id")["loss"]
    return np.array([losses[row_id] for row_id in row_ids])
