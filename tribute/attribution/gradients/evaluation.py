"""Gradients of what is asked about: the mean evaluation loss, the part of it in one slice, one answer's loss."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.capture import capture, stream_gradients
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel


def evaluation_gradient(model: RowModel, rows: EncodedRows) -> Tensor:
    """Gradient of the rows' mean loss at the model's present parameters, nats, float32 [parameters].

    Of a single row it is the gradient of one answer's loss.
    """
    return weighted_gradients(model, rows, np.full((len(rows), 1), 1 / len(rows)))[0][0]


def slice_gradients(model: RowModel, rows: EncodedRows) -> tuple[list[str], Tensor]:
    """The slices by name, and the gradient of each one's part of the rows' mean loss, float32 [slices, parameters].

    The parts sum to the gradient of the mean loss.
    """
    names = sorted(set(rows.slices))
    weights = slice_weights(rows.slices, names, np.full(len(rows), 1 / len(rows)))
    return names, weighted_gradients(model, rows, weights)[0]


def slice_weights(slices: Sequence[str], names: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Every row's weight [rows] in the column of its slice, float64 [rows, names]."""
    column = {name: index for index, name in enumerate(names)}
    spread = np.zeros((len(slices), len(names)))
    spread[range(len(slices)), [column[name] for name in slices]] = weights
    return spread


def weighted_gradients(model: RowModel, rows: EncodedRows, weights: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Gradients of Σ_i weights[i, k]·loss_i, float32 [scalars, parameters], and the losses, nats, float64 [rows].

    One forward and one backward a row, however many scalars. Raises as `capture` does.
    """
    losses = np.zeros(len(rows))
    with capture(model) as opened:
        device = next(iter(opened.parameters.values())).device
        total = torch.zeros(opened.width, weights.shape[1], device=device)
        for chunk in rows.chunks(range(len(rows))):
            own = torch.tensor(weights[list(chunk)], dtype=torch.float32, device=device)

            def add(name: str, part: slice, gradients: Tensor, own: Tensor = own) -> None:
                total[opened.places[name]].addmm_(gradients.flatten(1).T, own[part])

            found, _ = stream_gradients(model, opened, rows.collate(chunk), add)
            losses[list(chunk)] = found.double().cpu().numpy()
    return total.T, losses
