"""States between two recorded ones that are too far apart to walk back: the steps are trained forward again.

Walking back multiplies rounding errors with every step; training forward does not, and takes one more forward and
backward a step. So a trace may hold as few states as its evaluation gradients need.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from tribute.attribution.gradients.trace_walk import check_drift
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import RootAdam
from tribute.finetuning.recording.recorder import write_state
from tribute.finetuning.recording.trace import Trace, assign, filled, flatten, longest_gap
from tribute.finetuning.recording.trace_states import State, StatesFile, read_states


@contextmanager
def short_pieces(
    model: RowModel, rows: EncodedRows, trace: Trace, start: State, end: State
) -> Iterator[list[tuple[State, State]]]:
    """Neighbouring states from `start` to `end`, the last first, close enough for `walk_back`.

    Those that were not recorded lie in a temporary file. Raises AttributionError where training forward from `start`
    does not lead to `end`.
    """
    steps = filled(start.step, end.step, longest_gap(trace.optimizer.beta1))[1:-1]
    if not steps:
        yield [(start, end)]
        return
    with TemporaryDirectory(prefix="tribute-") as folder:
        between = _train_again(model, rows, trace, (start, end), steps, Path(folder) / "states.safetensors")
        yield list(reversed(list(pairwise([start, *between, end]))))


def _train_again(
    model: RowModel, rows: EncodedRows, trace: Trace, ends: tuple[State, State], steps: Sequence[int], path: Path
) -> list[State]:
    start, end = ends
    parameters = model.trainable()
    assign(parameters, start.theta)
    optimizer = _resumed(parameters, trace, start)
    file = StatesFile(path, len(steps), sum(value.numel() for value in parameters.values()), "float32")
    file.create()
    places = {step: place for place, step in enumerate(steps)}
    position = {row_id: index for index, row_id in enumerate(rows.row_ids)}
    for step in range(start.step, end.step):
        for chunk in rows.chunks([position[row_id] for row_id in trace.steps[step]]):
            torch.autograd.backward(model.row_losses(rows.collate(chunk, step)).sum() / trace.batch_size)
        for value in parameters.values():
            # A step whose rows were all left out has a gradient of 0.
            value.grad = torch.zeros_like(value) if value.grad is None else value.grad
            if len(trace.clips):
                value.grad *= trace.clips[step]
        optimizer.param_groups[0]["lr"] = float(trace.learning_rates[step])
        optimizer.step()
        optimizer.zero_grad()
        if step + 1 in places:
            write_state(file, places[step + 1], model, optimizer)
    moments = [optimizer.state[value]["exp_avg"] for value in parameters.values()]
    m = torch.cat([moment.reshape(-1) for moment in moments])
    check_drift(flatten(parameters).cpu(), m.cpu(), end, start)
    return read_states(path, steps)


def _resumed(parameters: dict[str, torch.nn.Parameter], trace: Trace, start: State) -> RootAdam:
    """The optimiser as it stood before the step of `start`."""
    optimizer = RootAdam(parameters.values(), 0.0, trace.optimizer)
    if start.step:
        sizes = [value.numel() for value in parameters.values()]
        for value, m, v in zip(
            parameters.values(), torch.split(start.m, sizes), torch.split(start.v, sizes), strict=True
        ):
            optimizer.state[value] = {"step": start.step, "exp_avg": _like(m, value), "exp_avg_sq": _like(v, value)}
    return optimizer


def _like(flat: Tensor, value: Tensor) -> Tensor:
    return flat.view_as(value).to(value.device, copy=True)
