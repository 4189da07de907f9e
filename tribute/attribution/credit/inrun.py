"""In-run credit: who caused which part of the update that Adam really applied, and did it help?

The loss is a function of the parameters, so between two recorded states it falls by −ē·(θ_b − θ_a), where ē is the
evaluation gradient averaged along the straight line from one to the other. ē is taken by Simpson's rule, on all rows of
the sample, so the sum is known to be right or wrong by the fall of the very same rows: a part of the path that misses
it is halved at a recorded state and looked at again (adaptive quadrature, Lyness 1969). The update Δ_t that was really
applied is −Σ of the parts that the rows caused. Adam's update is linear in the gradients that its momentum remembers:

    Δ_t = −P_t ⊙ Σ_{s≤t} (1−β₁) β₁^{t−s} g_s,   P_t = lr_t / ((1−β₁^{t+1}) √(v̂_{t+1} + ε²)),   g_s = Σ_i g_is / B

so row i in step s earns credit_is = g_is · A_s, with A_s = (1−β₁)/B · P_s⊙ē_s + β₁ A_{s+1}: positive means
that it lowered the evaluation loss, in nats. A_s looks ahead, so the trace is walked backwards in time: from
a recorded state, θ_t = θ_{t+1} + P_t⊙m_{t+1} needs no gradient, and the gradient found there gives m_t and v_t.
One forward and backward a step. Clipping multiplies g_s, and so every row's part in it. Weight decay adds
−lr_t λ θ_t to Δ_t: a term that belongs to no row and is kept apart.

The idea follows In-Run Data Shapley (Wang et al. 2024), applied to Adam's own update.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.capture import capture, stream_gradients
from tribute.attribution.gradients.evaluation import slice_weights, weighted_gradients
from tribute.attribution.gradients.row_layers import Capture
from tribute.attribution.gradients.sample import FOLDS, fold_weights
from tribute.attribution.gradients.segments import short_pieces
from tribute.attribution.gradients.trace_walk import check_trace, walk_back
from tribute.errors import AttributionError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import Update
from tribute.finetuning.ranks import from_main
from tribute.finetuning.recording.trace import Trace, assign, flatten
from tribute.finetuning.recording.trace_states import State
from tribute.progress import Progress, ignore

PIECES = 6
"""Pieces of the path that have a mean gradient of their own, however well fewer would do for the sum."""
TOLERANCE = 0.01
"""A piece whose sum misses the fall by more than this part of the whole fall is halved."""


@dataclass(frozen=True)
class InRun:
    """What one recorded training gave."""

    scores: np.ndarray
    """Credit in nats, float64 [training rows, slices]; > 0 lowered the evaluation loss."""
    folds: np.ndarray
    """The same over all slices, as each fold of the evaluation sample alone has it, [training rows, folds]."""
    slices: list[str]
    steps: list[int]
    losses: list[float]
    """Loss of the evaluation sample at those steps, in nats."""
    drift: float
    """The largest relative difference between a rebuilt state and the recorded one."""
    weight_decay: float
    """What weight decay did to the loss, nats, > 0 lowered it: with it the scores sum to the fall."""


def in_run_credit(
    model: RowModel,
    train: EncodedRows,
    sample: EncodedRows,
    weights: np.ndarray,
    trace: Trace,
    progress: Progress = ignore,
) -> InRun:
    """Credit of every training row for every slice of the evaluation sample.

    `weights` [sample rows] sum to 1 and say how much of the evaluation each row stands for. Leaves the model in the
    trace's first state.

    Raises AttributionError where the trace does not fit model or rows, or the evaluation loss is not a number.
    """
    check_trace(model, train, trace)
    slices = sorted(set(sample.slices))
    spread = np.hstack([slice_weights(sample.slices, slices, weights), fold_weights(sample.row_ids, weights)])
    walk = _Walk(_Evaluation(model, sample, spread, weights), _Credit(model, train, trace, spread.shape[1]), progress)
    walk.whole()
    by_slice, by_fold = np.hsplit(walk.credit.scores, [len(slices)])
    losses, decay = walk.losses, float(walk.credit.decay[: len(slices)].sum())
    return InRun(
        by_slice, by_fold, slices, sorted(losses), [losses[step] for step in sorted(losses)], walk.drift, decay
    )


@dataclass(frozen=True)
class _Look:
    """The evaluation at a point of parameter space."""

    theta: Tensor
    gradient: Tensor
    """[parameters, columns of spread]."""
    loss: float


class _Evaluation:
    """The evaluation sample, looked at anywhere."""

    def __init__(self, model: RowModel, sample: EncodedRows, spread: np.ndarray, weights: np.ndarray) -> None:
        self.model, self.sample, self.spread, self.weights = model, sample, spread, weights

    def look(self, theta: Tensor, where: str) -> _Look:
        """Loss and gradients at `theta` [parameters]."""
        assign(self.model.trainable(), theta)
        gradients, losses = weighted_gradients(self.model, self.sample, self.spread)
        if not np.isfinite(losses).all():
            raise AttributionError(
                f"{where}: the evaluation loss is not a number; lower finetuning.learning_rate and fine-tune again"
            )
        return _Look(theta, gradients.T, float(self.weights @ losses))

    def between(self, start: _Look, end: _Look) -> tuple[Tensor, float]:
        """The mean gradient on the way from `start` to `end` by Simpson's rule, and by how much its sum misses."""
        middle = self.look((start.theta + end.theta) / 2, "between two states of the trace")
        mean = (start.gradient + 4 * middle.gradient + end.gradient) / 6
        slices = self.spread.shape[1] - FOLDS
        way = (end.theta - start.theta).double().to(mean.device)
        fall = -float(way @ mean[:, :slices].sum(1).double())
        return mean, abs(fall - (start.loss - end.loss))


class _Walk:
    """The path from the last state to the first, piece by piece."""

    def __init__(self, evaluation: "_Evaluation", credit: "_Credit", progress: Progress) -> None:
        self.evaluation, self.credit, self.progress = evaluation, credit, progress
        self.states = credit.trace.states
        self.losses: dict[int, float] = {}
        """Loss of the evaluation sample by step, nats."""
        self.drift = 0.0

    def whole(self) -> None:
        """Score every step."""
        ends = np.unique(np.linspace(0, len(self.states) - 1, PIECES + 1).round().astype(int)).tolist()
        first, at_end = self._state(0), self._state(ends[-1])
        tolerance = TOLERANCE * abs(first.loss - at_end.loss)
        for start, end in reversed(list(pairwise(ends))):
            at_start = self._state(start) if start else first
            self._piece(start, end, at_start, at_end, tolerance)
            at_end = at_start

    def _piece(self, start: int, end: int, at_start: _Look, at_end: _Look, tolerance: float) -> None:
        """Score the steps from state `end` back to state `start`, in halves where the sum would miss the fall."""
        mean, missed = self.evaluation.between(at_start, at_end)
        # Ranks that share out the base must all make the same looks.
        if end - start > 1 and from_main(lambda: missed > tolerance):
            middle = (start + end) // 2
            at_middle = self._state(middle)
            self._piece(middle, end, at_middle, at_end, tolerance / 2)
            self._piece(start, middle, at_start, at_middle, tolerance / 2)
            return
        for place in reversed(range(start, end)):
            before, after = self.states[place], self.states[place + 1]
            self.drift = max(self.drift, self.credit.segment(before, after, mean))
            self.progress(len(self.credit.trace.steps) - before.step, len(self.credit.trace.steps))

    def _state(self, place: int) -> _Look:
        state = self.states[place]
        look = self.evaluation.look(state.theta, f"step {state.step}")
        self.losses[state.step] = look.loss
        return look


class _Credit:
    """The rows' scores, which fill up step by step, last step first."""

    def __init__(self, model: RowModel, train: EncodedRows, trace: Trace, columns: int) -> None:
        self.model, self.train, self.trace = model, train, trace
        self.scores, self.decay = np.zeros((len(train), columns)), np.zeros(columns)
        self.position = {row_id: index for index, row_id in enumerate(train.row_ids)}
        # Parameters first, so that a layer's part lies together: it is multiplied with while in the cache.
        self.ahead = torch.zeros(len(trace.states[0].theta), columns, device=model.device)

    def segment(self, start: State, end: State, between: Tensor) -> float:
        """Score the steps from `end` back to `start`; `between` [parameters, columns] is the evaluation gradient there.

        Returns the drift of `walk_back`.
        """
        with short_pieces(self.model, self.train, self.trace, start, end) as pieces, capture(self.model) as opened:
            return max(
                walk_back(self.model, self.trace, *piece, lambda update: self._score(opened, update, between))
                for piece in pieces
            )

    def _score(self, opened: Capture, update: Update, between: Tensor) -> Tensor:
        self.trace.optimizer.carry_back(self.ahead, between, update, self.trace.batch_size)
        total = torch.zeros(len(self.ahead), device=self.ahead.device)
        if update.decay:
            theta = flatten(self.model.trainable())
            self.decay += update.decay * (theta @ between).double().cpu().numpy()
        for chunk in self.train.chunks([self.position[row_id] for row_id in self.trace.steps[update.step]]):
            scores = torch.zeros(len(chunk), self.ahead.shape[1], device=self.ahead.device)

            def score(name: str, part: slice, gradients: Tensor, scores: Tensor = scores) -> None:
                scores[part].addmm_(gradients.flatten(1), self.ahead[opened.places[name]])

            _, gradient = stream_gradients(self.model, opened, self.train.collate(chunk, update.step), score)
            self.scores[list(chunk)] += update.clip * scores.double().cpu().numpy()
            total += gradient
        return total / self.trace.batch_size
