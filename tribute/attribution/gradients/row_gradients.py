"""Gradients of many rows, a chunk at a time: of the rows as they are, or with labels that the model draws."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.capture import capture, row_gradients
from tribute.attribution.gradients.sampled_labels import draw
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.recording.trace import assign

FLOATS_AT_ONCE = 1 << 25


def row_gradients_of(
    model: RowModel, rows: EncodedRows, indices: Sequence[int], points: Sequence[Tensor] = ()
) -> Iterator[tuple[list[int], Tensor]]:
    """Some of the rows and their gradients [chunk, parameters], until all of `indices` had their turn.

    Taken where the model stands, or the mean over `points`, at the last of which it is left. The gradients are
    written over by the next ones.
    """
    parameters = model.trainable()
    most = max(1, FLOATS_AT_ONCE // sum(value.numel() for value in parameters.values()))
    with capture(model) as opened:
        for chunk in rows.chunks(indices):
            for part in (list(chunk[start : start + most]) for start in range(0, len(chunk), most)):
                batch = rows.collate(part)
                if not points:
                    yield part, row_gradients(model, opened, batch)[1]
                    continue
                total = torch.zeros((), device=model.device)
                for point in points:
                    assign(parameters, point)
                    total = total + row_gradients(model, opened, batch)[1] / len(points)
                yield part, total


def gradients_of_draws(
    model: RowModel, rows: EncodedRows, points: Sequence[Tensor], count: int, chance: np.random.Generator
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Rows, and gradients [chunk, parameters] of the loss for labels that the model draws for them.

    `count` in all over the points.
    """
    generator = torch.Generator().manual_seed(int(chance.integers(2**62)))
    order = chance.permutation(np.arange(count) % len(rows))
    for point, part in zip(points, np.array_split(order, len(points)), strict=True):
        assign(model.trainable(), point)
        drawn, tokens = draw(model, rows.take(part.tolist()), generator)
        for chunk, gradients in row_gradients_of(model, drawn, range(len(drawn))):
            # A row's loss is a mean over its tokens, which are drawn independently: the mean of their products is
            # this many times the product of their means.
            yield part[chunk], gradients * tokens[chunk, None].sqrt().to(gradients.device)
