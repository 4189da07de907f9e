"""Every state of a recorded training, last to first, rebuilt from the few that were kept.

From the state after a step, θ before it follows from Adam's moments without a gradient, and the gradient found
there gives the moments before. So a few kept states do for all of them: they stop rounding errors from growing,
and show whether trace, base and rows belong together.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tribute.errors import AttributionError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import Update
from tribute.finetuning.recording.trace import Trace, assign
from tribute.finetuning.recording.trace_states import State

DRIFT_LIMITS = {"float32": 0.02, "bfloat16": 0.15}
"""A state rebuilt from the next one may differ from the recorded one by this much of the way between them.

By the precision of the moments. Measured on tiny models over 40 steps: 0.0003 and 0.08; shares move by Σ|Δ| 0.001.
"""


Visit = Callable[[Update], Tensor]
"""Called with the model before the update (vectors float64); returns the unclipped gradient of the step's loss."""


def walk_back(model: RowModel, trace: Trace, start: State, end: State, visit: Visit) -> float:
    """Visit every update from recorded state `end` back to `start`, the latest first.

    Returns how far the rebuilt `start` is from the recorded one, relative. Raises AttributionError where that is
    too far. Beside θ, m and v it keeps nothing.
    """
    device = next(iter(model.trainable().values())).device
    # In double precision: every step back multiplies what was rounded off before by 1/β₁.
    theta, m, v = (vector.to(device).double() for vector in (end.theta, end.m, end.v))
    for step in reversed(range(start.step, end.step)):
        update = trace.update(step, m, v)
        theta = (theta + update.preconditioner * m) / (1 - update.decay)
        assign(model.trainable(), theta)
        m, v = trace.optimizer.moments_before(m, v, update.clip * visit(update).double())
    return check_drift(theta.cpu(), m.cpu(), start, end)


def check_trace(model: RowModel, train: EncodedRows, trace: Trace) -> None:
    """Raises AttributionError where the trace is another adapter's or saw rows that `train` does not hold."""
    layout = {name: tuple(value.shape) for name, value in model.trainable().items()}
    recorded = {name: tuple(shape) for name, shape in trace.layout.items()}
    if layout != recorded:
        name = next(iter(layout.items() ^ recorded.items()))[0]
        raise AttributionError(f"the trace and the adapter differ in {name}; use the adapter of this trace")
    unknown = {row_id for step in trace.steps for row_id in step} - set(train.row_ids)
    if unknown:
        raise AttributionError(f"the trace saw row {min(unknown)}, which the dataset version does not hold")


def check_drift(theta: Tensor, m: Tensor, start: State, end: State) -> float:
    """How far θ and m, rebuilt from `end`, are from the recorded `start`, relative to the way between them.

    Raises AttributionError where that is too far.
    """
    way = _relative(theta - start.theta, end.theta - start.theta)
    # Across one step θ follows from the end state alone; only m shows whether the rows are the recorded ones.
    drift = max(way, _relative(m - start.m, torch.maximum(start.m.abs(), end.m.abs())))
    if not drift <= DRIFT_LIMITS[end.precision]:  # so that NaN fails too
        raise AttributionError(
            f"walking the trace from step {end.step} misses the recorded state of step {start.step} by "
            f"{drift:.1%}; trace, base model and rows do not belong together (delete the adapter's folder and "
            "fine-tune again), or the training went astray (lower finetuning.learning_rate)"
        )
    return drift


def _relative(difference: Tensor, size: Tensor) -> float:
    return float(difference.norm()) / max(float(size.norm()), 1e-12)
