"""One Newton step from where a training ended to where it would have ended without a contributor's rows.

A derivative at the full set says what a little less of a contributor does. Losing all of it is another matter: others
teach much of the same, so the derivative is small, while what nobody else teaches is lost with the last of its rows.
With g the sum of its rows' gradients, G_c their part of the Gauss–Newton matrix G of all rows, and w the way that the
training went, the parameters move by

    Δ = (G − G_c + dλI)⁻¹ (g + (1 − d) λw)

and the loss is then evaluated there, not extrapolated (a step for each group with the group's own curvature: Koh et
al. 2019, arXiv:1905.13289). Everything is in the metric in which Adam moves, as in curvature.py. The step is exact for
a ridge regression whose penalty λ falls to dλ; a training is taken for one, which ends where all rows' gradients sum
to −λw:

- λ, which is not picked: a training with learning rates that sum to T, on the mean loss of n rows, goes about as far
  along an eigenvector of G as a penalty of n / T lets it (Ali et al. 2019, arXiv:1810.10082);
- d: Adam divides by the root of the mean squared gradient of a batch. Where that root is d times as large without the
  contributor, the training goes 1 / d times as far: noise slows the others down.

G is the sum over gradients of labels that the model draws, and is never written down: with these gradients as Z's
rows, those of the contributor left out, (ZᵀZ + dλI)⁻¹ v = (v − Zᵀ(ZZᵀ + dλI)⁻¹Zv) / dλ. G and G_c have to be of the
same draws: of different ones G − G_c need not be positive, and the step is worthless.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.curvature import points_along
from tribute.attribution.gradients.row_gradients import gradients_of_draws, row_gradients_of
from tribute.attribution.gradients.trace_walk import check_trace
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.recording.trace import Trace, assign
from tribute.progress import Progress, ignore

POINTS = (0.5, 1.0)
"""Parts of the training at whose ends gradients are taken."""
DRAWS, DRAWS_PER_ROW = 4096, 2
FLOATS = 1 << 30
"""Gradients held at once, 4 GiB. Of more than 262,144 parameters fewer than DRAWS fit, and effects come out too large:
by a quarter to a third with half as many."""
BLOCK = 256
"""Rows of a Gram matrix computed at once."""


def effects_of_leaving_out(
    model: RowModel,
    train: EncodedRows,
    evaluation: EncodedRows,
    trace: Trace,
    owner: np.ndarray,
    progress: Progress = ignore,
) -> np.ndarray:
    """What the mean evaluation loss would gain without each contributor, nats (> 0: it helped), [contributors].

    `owner` [rows] is the position of each training row's contributor. Leaves the model at the trace's end. Progress
    counts gradients and evaluated rows; it is made all along, for a parent that is gone shows in it alone.
    Raises AttributionError where the trace does not fit model or rows.
    """
    check_trace(model, train, trace)
    metric, end, points = trace.metric, trace.states[-1].theta, points_along(trace, POINTS)
    contributors, count = int(owner.max()) + 1, min(DRAWS, DRAWS_PER_ROW * len(train), max(1, FLOATS // len(metric)))
    work, done = len(train) + count + contributors * len(evaluation), 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, work)

    sums, squares = metric.new_zeros(contributors, len(metric)), metric.new_zeros(contributors)
    owners = torch.from_numpy(owner).to(metric.device)
    for chunk, gradients in row_gradients_of(model, train, range(len(train)), points):
        sums.index_add_(0, owners[chunk], gradients * metric)
        squares.index_add_(0, owners[chunk], (gradients * metric).square().sum(1))
        advance(len(chunk))
    drawn, whose = metric.new_empty(count, len(metric)), np.zeros(0, dtype=int)
    for rows, gradients in gradients_of_draws(model, train, points, count, np.random.Generator(np.random.Philox(0))):
        drawn[len(whose) : len(whose) + len(rows)] = gradients * metric * (len(train) / count) ** 0.5
        whose = np.append(whose, owner[rows])
        advance(len(rows))
    way = (end - trace.states[0].theta) / metric
    slower = slowness(sums, squares, len(train), trace.batch_size)
    damping = len(train) / float(trace.learning_rates.sum())
    steps = newton_steps(sums, slower, drawn, whose, damping, way, lambda: advance(0))
    assign(model.trainable(), end)
    before, effects = evaluate(model, evaluation).losses.mean(), np.zeros(contributors)
    for place, step in enumerate(steps):
        assign(model.trainable(), end + metric * step)
        effects[place] = evaluate(model, evaluation).losses.mean() - before
        advance(len(evaluation))
    assign(model.trainable(), end)
    return effects


def slowness(sums: Tensor, squares: Tensor, rows: int, batch_size: int) -> Tensor:
    """d of each contributor: see the module. Sums of its gradients [contributors, parameters] and of their squares.

    1 for all where no row has a gradient.
    """

    def mean_square(total: Tensor, square: Tensor) -> Tensor:
        return square / rows / batch_size + (1 - 1 / batch_size) * (total / rows).square().sum(-1)

    total, square = sums.sum(0), squares.sum()
    whole = mean_square(total, square)
    if not whole:
        return torch.ones_like(squares)
    return (mean_square(total - sums, square - squares) / whole).clamp_min(0).sqrt()


def newton_steps(
    sums: Tensor,
    slower: Tensor,
    drawn: Tensor,
    whose: np.ndarray,
    damping: float,
    way: Tensor,
    working: Callable[[], None] = lambda: None,
) -> Tensor:
    """Δ of each contributor, [contributors, parameters]: see the module.

    `sums` [contributors, parameters] are g, `slower` [contributors] is d, `drawn` [draws, parameters] is Z, `whose`
    [draws] each draw's contributor, `damping` λ and `way` w [parameters]; `working` is called after each. Without the
    only one who taught anything (d = 0) all that was learned is lost: Δ = −w.
    """
    penalties = slower[:, None] * damping
    toward = sums + (damping - penalties) * way
    kernel, seen = gram(drawn).double(), (drawn @ toward.T).double()
    weights = torch.zeros(len(sums), len(drawn), device=drawn.device)
    for left in slower.nonzero()[:, 0].tolist():
        rest = np.flatnonzero(whose != left)
        inner = kernel[rest][:, rest]
        inner.diagonal().add_(float(penalties[left]))
        weights[left, rest] = torch.cholesky_solve(seen[rest, left, None], torch.linalg.cholesky(inner))[:, 0].float()
        working()
    return torch.where(slower[:, None] > 0, (toward - weights @ drawn) / penalties, -way)


def gram(rows: Tensor) -> Tensor:
    """rows @ rows.T, of which only half is computed: it is symmetric, and the largest part of a step's work."""
    products = rows.new_empty(len(rows), len(rows))
    for start in range(0, len(rows), BLOCK):
        own = slice(start, start + BLOCK)
        products[own, : own.stop] = rows[own] @ rows[: own.stop].T
        products[:start, own] = products[own, :start].T
    return products
