"""Gauss–Newton in the space of what was trained: how a training answers when rows are taken away from it.

Taking rows away moves the optimum by (G + λI)⁻¹ Σg, with g the rows' gradients and G the Gauss–Newton matrix, which
for a loss that is minus a log probability is the Fisher matrix: the mean of ggᵀ over labels drawn from the model's
own predictions (Martens 2020). λ stands for the training that stopped before the optimum. G is far too large to
write down, so it is approximated where it matters, in three steps:

1. Gradients are taken in the metric in which Adam moves: each is multiplied by (v̂ + ε²)^(-1/4).
2. Each weight's gradient is turned into the eigenbases of its two sides, E[ggᵀ] and E[gᵀg] (Gupta et al. 2018),
   in which G is nearly diagonal; the diagonal is measured there (George et al. 2018; Grosse et al. 2023 for LLMs).
3. Among the STRONGEST coordinates of all weights together the whole matrix is measured.

What each step brings, and what else was tried, is in docs/attribution.md. Knows nothing of contributors.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.row_gradients import gradients_of_draws
from tribute.attribution.gradients.tensors import load_checked, save_checked
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.recording.trace import Trace
from tribute.progress import Progress, ignore

STRONGEST = 2048
SAMPLES = (1024, 4096)
"""Labels drawn for the eigenbases, and for the matrix in them."""
SAMPLES_PER_ROW = 8
"""No more than this for each row."""
LONGEST_SIDE = 4096
"""A longer side (an embedding's vocabulary) keeps the coordinates that it has: its eigenbasis would cost too much."""


@dataclass(frozen=True)
class Curvature:
    """An approximation of G that can be inverted. Flat vectors [parameters] are in the trace's layout."""

    shapes: Mapping[str, Sequence[int]]
    metric: Tensor
    """[parameters], see step 1."""
    bases: Mapping[str, Tensor]
    """`<name>/0` [rows, rows], `<name>/1` [columns, columns] for the sides that are turned; columns are orthonormal."""
    eigenvalues: Tensor
    """The diagonal of G in the turned coordinates, [parameters]."""
    strongest: Tensor
    """Positions of the strongest coordinates, int64 [strongest]."""
    vectors: Tensor
    """Eigenvectors of G among the strongest, [strongest, strongest]."""
    values: Tensor
    """Their eigenvalues, [strongest]."""

    def precondition(self, gradients: Tensor, damping: float) -> Tensor:
        """(G + λI)⁻¹ g in Adam's metric, [n, parameters]; λ is `damping` times G's mean eigenvalue."""
        offset = damping * self.eigenvalues.mean()
        turned = turn(gradients * self.metric, self.shapes, self.bases)
        solved = turned / (self.eigenvalues + offset)
        solved[:, self.strongest] = turned[:, self.strongest] @ self.vectors / (self.values + offset) @ self.vectors.T
        return turn(solved, self.shapes, self.bases, back=True) * self.metric

    def coordinates(self, gradients: Tensor, count: int) -> Tensor:
        """The `count` strongest coordinates, each divided by the root of its damped eigenvalue, [n, count].

        The sum over products of two rows' coordinates, times `weights`, is their product over (G + λI)⁻¹ but for
        the coordinates left out. At least STRONGEST, and no more than there are parameters.
        """
        turned = turn(gradients * self.metric, self.shapes, self.bases)
        strong = turned[:, self.strongest] @ self.vectors
        values, rest = self._strengths(count)
        return torch.cat([strong, turned[:, rest]], dim=1) / values.sqrt()

    def weights(self, damping: float, count: int) -> Tensor:
        """See `coordinates`, [count]."""
        values, _ = self._strengths(count)
        return values / (values + (damping - 1) * self.eigenvalues.mean())

    def save(self, path: Path) -> None:
        """One safetensors file with its own checksum."""
        named = {"metric": self.metric, "eigenvalues": self.eigenvalues, "strongest": self.strongest}
        named |= {"vectors": self.vectors, "values": self.values}
        named |= {f"shape/{name}": torch.tensor(shape) for name, shape in self.shapes.items()}
        save_checked(path, named | {f"basis/{name}": basis for name, basis in self.bases.items()})

    @classmethod
    def load(cls, path: Path) -> "Curvature":
        """Read what `save` wrote. Raises IntegrityError where it is not as it was written."""
        tensors = load_checked(path)
        shapes = {
            name.removeprefix("shape/"): tensor.tolist() for name, tensor in tensors.items() if name[:6] == "shape/"
        }
        bases = {name.removeprefix("basis/"): tensor for name, tensor in tensors.items() if name[:6] == "basis/"}
        named = ("metric", "eigenvalues", "strongest", "vectors", "values")
        return cls(shapes=dict(sorted(shapes.items())), bases=bases, **{name: tensors[name] for name in named})

    @cached_property
    def _ranking(self) -> Tensor:
        """Positions of the coordinates: the block's first, the others by strength."""
        ranking = self.eigenvalues.clone()
        ranking[self.strongest] = torch.inf
        return ranking.argsort(descending=True, stable=True)

    def _strengths(self, count: int) -> tuple[Tensor, Tensor]:
        """Eigenvalues of the `count` strongest coordinates, damped by their mean, and which come after the block.

        Undamped, a direction that no draw happened to show would drown all others in the index's eight bits.
        """
        rest = self._ranking[len(self.strongest) : count]
        values = torch.cat([self.values, self.eigenvalues[rest]])
        return values + self.eigenvalues.mean(), rest


def draws(rows: int) -> list[int]:
    """How many labels `fit` draws for so many rows in each of its two passes."""
    return [min(count, SAMPLES_PER_ROW * rows) for count in SAMPLES]


def midpoints(trace: Trace) -> list[Tensor]:
    """The recorded parameters next to a quarter and three quarters of the way: two points stand for the training."""
    return points_along(trace, (0.25, 0.75))


def points_along(trace: Trace, parts: Sequence[float]) -> list[Tensor]:
    """The recorded parameters next to these parts of the way."""
    last = trace.states[-1].step
    return [min(trace.states, key=lambda state: abs(state.step - part * last)).theta for part in parts]


def fit(
    model: RowModel,
    rows: EncodedRows,
    points: Sequence[Tensor],
    metric: Tensor,
    seed: int = 0,
    progress: Progress = ignore,
) -> Curvature:
    """Measure G's mean over the parameters `points` on labels drawn for `rows`. Leaves the model at the last point."""
    shapes = {name: tuple(value.shape) for name, value in model.trainable().items()}
    counts, done = draws(len(rows)), 0

    def drawn(number: int) -> Iterator[Tensor]:
        nonlocal done
        chance = np.random.Generator(np.random.Philox([seed, number]))
        for _, gradients in gradients_of_draws(model, rows, points, counts[number], chance):
            yield gradients * metric
            done += len(gradients)
            progress(done, sum(counts))

    bases, expected = _eigenbases(drawn(0), shapes)
    strongest = expected.argsort(descending=True, stable=True)[:STRONGEST].sort().values
    squares = torch.zeros_like(metric)
    products = torch.zeros(len(strongest), len(strongest), dtype=torch.float64, device=metric.device)
    for gradients in drawn(1):
        turned = turn(gradients, shapes, bases)
        squares += turned.square().sum(0) / counts[1]
        strong = turned[:, strongest]
        products += (strong.T @ strong).double() / counts[1]
    values, vectors = torch.linalg.eigh(products)
    return Curvature(shapes, metric, bases, squares, strongest, vectors.float().contiguous(), values.float())


def turn(
    gradients: Tensor, shapes: Mapping[str, Sequence[int]], bases: Mapping[str, Tensor], back: bool = False
) -> Tensor:
    """Each weight's part of [n, parameters] in the eigenbases of its sides, or back from there."""
    turned = torch.empty_like(gradients)
    for name, place, (height, width) in _sides(shapes):
        part = gradients[:, place].reshape(-1, height, width)
        left, right = bases.get(f"{name}/0"), bases.get(f"{name}/1")
        part = part if left is None else (left if back else left.T) @ part
        part = part if right is None else part @ (right.T if back else right)
        turned[:, place] = part.flatten(1)
    return turned


def _eigenbases(draws: Iterator[Tensor], shapes: Mapping[str, Sequence[int]]) -> tuple[dict[str, Tensor], Tensor]:
    """Bases as in `Curvature`, and the eigenvalues that they let expect, [parameters]."""
    sums: dict[str, Tensor] = {}
    for gradients in draws:
        for name, place, (height, width) in _sides(shapes):
            part = gradients[:, place].reshape(-1, height, width)
            for side, side_rows in ((0, part.transpose(1, 2)), (1, part)):
                flat = side_rows.flatten(0, 1)
                product = flat.T @ flat if flat.shape[1] <= LONGEST_SIDE else flat.square().sum(0)
                key = f"{name}/{side}"
                sums[key] = sums[key] + product if key in sums else product
    bases, expected = {}, []
    for name, _, _ in _sides(shapes):
        values = []
        for key in (f"{name}/0", f"{name}/1"):
            total = sums[key]
            if total.dim() == 2:
                eigenvalues, vectors = torch.linalg.eigh(total.double())
                total, bases[key] = eigenvalues.clamp_min(0).float(), vectors.float().contiguous()
            values.append(total)
        expected.append(torch.outer(*values).flatten() / values[0].sum().clamp_min(1e-30))
    return bases, torch.cat(expected)


def _sides(shapes: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, slice, tuple[int, int]]]:
    """Name, place in a flat vector, and height and width of each parameter; a bias is a column."""
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + prod(shape)
        yield name, slice(start, end), (shape[0], prod(shape[1:]))
