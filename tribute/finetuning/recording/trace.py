"""The recorded training: the whole contract between fine-tuning and attribution.

`trace/steps.parquet` holds for every step its learning rate, the rows it saw and, with clipping, `clip`;
`trace/states.safetensors` the LoRA parameters and Adam's moments at some steps; `trace/trace.json` seed, optimiser
and layout.
State `s` stands before step `s`, so state 0 is the start and state `len(steps)` the adapter.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from tribute.artifacts import Artifact, check_files
from tribute.errors import AttributionError
from tribute.files import write_json
from tribute.finetuning.optimizers.adam import Adam, Update
from tribute.finetuning.recording.trace_states import State, read_states
from tribute.strict import parse_json

FOLDER, STATES = "trace", "states.safetensors"
LONGEST_GAP = 40
"""Steps. Walking back multiplies rounding errors of Adam's momentum by 1/β₁ a step: 70 times over 40 steps of 0.9."""


@dataclass(frozen=True)
class Trace:
    """A training as it happened."""

    seed: int
    batch_size: int
    """Every step's loss is the sum over its rows divided by this, also where rows were left out."""
    optimizer: Adam
    layout: Mapping[str, Sequence[int]]
    """Parameter name → shape, in the order in which the flat vectors hold them."""
    learning_rates: np.ndarray
    steps: Sequence[Sequence[str]]
    """Row ids of every step."""
    states: Sequence[State]
    clips: Sequence[float] = ()
    """What every step's gradient was multiplied by; empty where nothing is clipped."""

    def update(self, step: int, m: Tensor, v: Tensor) -> Update:
        """What step `step` did, from the moments after it, float [parameters]."""
        clip = float(self.clips[step]) if len(self.clips) else 1.0
        return self.optimizer.update(step, float(self.learning_rates[step]), m, v, clip)

    @property
    def root(self) -> Tensor:
        """`Adam.root` at the end of the training, [parameters]."""
        return self.optimizer.root(self.states[-1].v, self.states[-1].step)

    @property
    def metric(self) -> Tensor:
        """`Adam.metric` at the end of the training, [parameters]."""
        return self.optimizer.metric(self.states[-1].v, self.states[-1].step)


def longest_gap(beta1: float) -> int:
    """Steps between two states: fewer than LONGEST_GAP where β₁ < 0.9, so that errors grow by no more."""
    return min(LONGEST_GAP, int(LONGEST_GAP * log(0.9) / log(beta1)))


def state_steps(rates: np.ndarray, count: int, longest: int = LONGEST_GAP) -> list[int]:
    """About `count` steps from 0 to the last, denser on the path's first part, where the loss falls fastest.

    `rates` [steps] are the learning rates: how far a step goes is up to them, so what is spread is their sum. A long
    training gets more states, so that no two are further apart than `longest`. The first steps that move are always
    there: LoRA's A has no gradient before B has moved, so Adam's second moment is 0 there, which a walk backwards
    could not tell from a rounding error.
    """
    path = np.concatenate([[0.0], np.cumsum(rates)]) / rates.sum()
    ranks = np.linspace(0, 1, count - 1) ** 2
    spread = {int(np.abs(path - part).argmin()) for part in 1 - (1 - ranks) ** 2}
    moving = int(np.flatnonzero(rates)[0]) + 3
    kept = sorted(spread | set(range(min(moving, len(path)))) | {len(rates)})
    return sorted({step for start, end in pairwise(kept) for step in filled(start, end, longest)})


def filled(start: int, end: int, longest: int) -> list[int]:
    """Steps from `start` to `end`, both included, no two further apart than `longest`."""
    parts = ceil((end - start) / longest)
    return [start + round((end - start) * part / parts) for part in range(parts + 1)]


def flatten(parameters: Mapping[str, Tensor]) -> Tensor:
    """One float32 vector [parameters]."""
    return torch.cat([value.detach().reshape(-1).float() for value in parameters.values()])


def assign(parameters: Mapping[str, nn.Parameter], vector: Tensor) -> None:
    """Write a flat vector back into the parameters."""
    offset = 0
    with torch.no_grad():
        for value in parameters.values():
            value.copy_(vector[offset : offset + value.numel()].view_as(value))
            offset += value.numel()


def save_trace(folder: Path, trace: Trace, states: Path) -> None:
    """Write `folder`/trace/; the file that holds the trace's states is linked into it, where links can be made."""
    target = folder / FOLDER
    target.mkdir()
    columns = {
        "step": pa.array(range(len(trace.steps)), pa.int32()),
        "learning_rate": pa.array(trace.learning_rates, pa.float64()),
        "row_ids": pa.array(trace.steps, pa.list_(pa.string())),
    }
    if len(trace.clips):
        columns["clip"] = pa.array(trace.clips, pa.float64())
    pq.write_table(pa.table(columns), target / "steps.parquet")
    try:
        os.link(states, target / STATES)
    except OSError:
        shutil.copyfile(states, target / STATES)
    facts = {
        "seed": trace.seed,
        "batch_size": trace.batch_size,
        "adam": asdict(trace.optimizer),
        "layout": {name: list(shape) for name, shape in trace.layout.items()},
        "states": [state.step for state in trace.states],
    }
    write_json(target / "trace.json", facts)


def trace_of(adapter: Artifact) -> Trace:
    """The trace that was recorded with this adapter.

    Raises IntegrityError where a file of it is not the one that the adapter's manifest lists: a trace of another seed
    has the same layout, and would be credited with this adapter's gain.
    """
    check_files(adapter, lambda name: name.startswith(f"{FOLDER}/"))
    return load_trace(adapter.path)


def load_trace(folder: Path) -> Trace:
    """Read `folder`/trace/. Raises AttributionError where it cannot be read."""
    source = folder / FOLDER
    try:
        facts: dict[str, Any] = parse_json((source / "trace.json").read_text(encoding="utf-8"))
        steps = pq.read_table(source / "steps.parquet")
        states = read_states(source / STATES, facts["states"])
        return Trace(
            facts["seed"],
            facts["batch_size"],
            Adam(**facts["adam"]),
            {name: tuple(shape) for name, shape in facts["layout"].items()},
            steps["learning_rate"].to_numpy(),
            steps["row_ids"].to_pylist(),
            states,
            steps["clip"].to_pylist() if "clip" in steps.column_names else (),
        )
    except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
        raise AttributionError(
            f"{source}: the trace cannot be read ({error}); delete its folder and fine-tune again"
        ) from error
