"""Replay: what a row's weight in the training does to a loss at its end, exactly.

A training is a function of its rows' weights w (1 each, in every epoch), and this is its derivative, by reverse
mode through every step of RootAdam. With g = Σ_i w_i ∇l_i / B the step's gradient, λ the derivatives of the loss at
the end by what stands after a step, and a_g the one by g (both carried back by `Adam.adjoint`):

    λ_θ before the step = (1−d) λ_θ + H a_g     with d the step's weight decay, H the Hessian of Σ_i w_i l_i / B
    dloss/dw_i = Σ_steps ∇l_i·a_g / B

Both products with a_g come from one backward pass through the graph of g: they are the derivatives of g·a_g by w
and by θ. The recursion is Maclaurin et al.'s (2015, arXiv:1502.03492), for Adam; as data attribution it is MAGIC
(Ilyas & Engstrom 2025, arXiv:2504.16430).

No states are needed but the trace's few: `walk_back` rebuilds the others from g, which costs nothing here. A
step's graphs are kept until all of g is known; where they exceed the memory budget g is computed once before.
Measured on one thread, for one scalar: 2.4 trainings (CLINC150, last-layer LoRA), 2.5 to 2.7 (the demo).
On CLINC150 every other scalar costs 1.5 more, and 1.4 more where graphs are not kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel

from tribute.attribution.gradients.segments import short_pieces
from tribute.attribution.gradients.trace_walk import check_trace, walk_back
from tribute.errors import AttributionError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import Update
from tribute.finetuning.recording.trace import Trace
from tribute.progress import Progress, ignore


def replay_scores(
    model: RowModel,
    train: EncodedRows,
    trace: Trace,
    terminal_gradients: Tensor,
    progress: Progress = ignore,
    memory_mib: int = 4096,
) -> np.ndarray:
    """Minus the derivative of each scalar by each training row's weight, float64 [training rows, scalars].

    > 0 helped: with more weight the scalar would have ended lower. In nats per unit of weight where the scalar is in
    nats; to first order, what leaving the row out would add to it. `terminal_gradients` [scalars, parameters] are the
    scalars' gradients at the trace's last state. Leaves the model in the trace's first state.

    Raises AttributionError where the trace does not fit model or rows, or a derivative is not a number.
    """
    check_trace(model, train, trace)
    replay = _Replay(model, train, trace, terminal_gradients, memory_mib)
    total = len(trace.steps)

    def visit(update: Update) -> Tensor:
        gradient = replay.step(update)
        progress(total - update.step, total)
        return gradient

    for ends in reversed(list(pairwise(trace.states))):
        with short_pieces(model, train, trace, *ends) as pieces:
            for piece in pieces:
                walk_back(model, trace, *piece, visit)
    return replay.scores


@dataclass(frozen=True)
class _Graph:
    """The gradient of the chunk's part of a step's loss, by parameter, with the graph that leads to it."""

    chunk: Sequence[int]
    weights: Tensor
    gradients: Sequence[Tensor]


class _Replay:
    """The derivatives by θ, m and v, each float32 [scalars, parameters], and the scores that fill up on the way."""

    def __init__(
        self, model: RowModel, train: EncodedRows, trace: Trace, terminal_gradients: Tensor, memory_mib: int
    ) -> None:
        self.model, self.train, self.trace = model, train, trace
        self.parameters = list(model.trainable().values())
        self.position = {row_id: index for index, row_id in enumerate(train.row_ids)}
        self.lengths = train.lengths()
        self.theta = terminal_gradients.to(self.parameters[0].device, torch.float32, copy=True)
        self.m, self.v = torch.zeros_like(self.theta), torch.zeros_like(self.theta)
        self.scores = np.zeros((len(train), len(self.theta)))
        self.tokens_kept = memory_mib * 2**20 / self._bytes_per_token()

    def step(self, update: Update) -> Tensor:
        """Carry the derivatives back over an update and score its rows; gives the gradient, float32 [parameters]."""
        chunks = list(self.train.chunks([self.position[row_id] for row_id in self.trace.steps[update.step]]))
        fits = sum(map(self._tokens, chunks)) <= self.tokens_kept
        graph_of = partial(self._graph, step=update.step)
        kept = [graph_of(chunk) for chunk in chunks] if fits else []
        gradient = torch.zeros_like(self.theta[0])
        for graph in kept or map(graph_of, chunks):
            gradient += _flat(graph.gradients)
        toward = self._toward(update, gradient)
        for graph in kept or map(graph_of, chunks):
            self._through(graph, toward)
        if not torch.isfinite(self.theta).all():
            raise AttributionError(
                f"the derivative by the parameters of step {update.step} is not a number, so replay cannot tell what "
                "the rows did: lower finetuning.learning_rate and fine-tune again"
            )
        return gradient

    def _toward(self, update: Update, gradient: Tensor) -> Tensor:
        """The derivatives by the step's gradient, [scalars, parameters]; those by m and v go back over the step."""
        clipped = update.clip * gradient
        self.m, self.v, toward = self.trace.optimizer.adjoint(update, clipped, self.theta, self.m, self.v)
        self.theta *= 1 - update.decay
        return update.through_clip(gradient, toward)

    def _through(self, graph: _Graph, toward: Tensor) -> None:
        """Add the chunk's scores, and its part of the Hessian times `toward` to the derivatives by θ."""
        for scalar, direction in enumerate(toward):
            pieces = direction.split([value.numel() for value in self.parameters])
            *by_theta, by_weight = torch.autograd.grad(
                graph.gradients,
                [*self.parameters, graph.weights],
                [piece.view_as(value).to(value.dtype) for piece, value in zip(pieces, self.parameters, strict=True)],
                retain_graph=scalar + 1 < len(toward),
                materialize_grads=True,
            )
            self.theta[scalar] += _flat(by_theta)
            self.scores[list(graph.chunk), scalar] -= by_weight.double().cpu().numpy()

    def _graph(self, chunk: Sequence[int], step: int) -> _Graph:
        weights = torch.ones(len(chunk), device=self.theta.device, requires_grad=True)
        # Fused attention has no second derivative; the plain one gives the same.
        with sdpa_kernel(SDPBackend.MATH):
            loss = (weights * self.model.row_losses(self.train.collate(chunk, step))).sum() / self.trace.batch_size
            return _Graph(chunk, weights, torch.autograd.grad(loss, self.parameters, create_graph=True))

    def _tokens(self, chunk: Sequence[int]) -> int:
        return len(chunk) * int(self.lengths[list(chunk)].max())

    def _bytes_per_token(self) -> float:
        """What a graph holds beside the model, measured on the longest rows."""
        chunk = next(self.train.chunks(range(len(self.train))))
        held: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor.detach()

        with saved_tensors_hooks(note, lambda tensor: tensor):
            self._graph(chunk, 0)
        for value in self.model.state_dict(keep_vars=True).values():
            held.pop(value.untyped_storage().data_ptr(), None)
        return sum(held.values()) / self._tokens(chunk)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
