"""Labels drawn from what a model predicts: their gradients' products have Gauss–Newton as their mean."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.models.row_models import RowModel


def draw(model: RowModel, rows: EncodedRows, generator: torch.Generator) -> tuple[EncodedRows, Tensor]:
    """The rows with labels drawn from the model's predictions, and how many labels each row has, [rows]."""
    targets: list[Any] = [None] * len(rows)
    for chunk in rows.chunks(range(len(rows))):
        batch = rows.collate(chunk)
        with torch.no_grad():
            chances = model.log_probabilities(batch).exp().cpu()
        drawn = torch.multinomial(chances.flatten(0, -2), 1, generator=generator).view(chances.shape[:-1])
        for place, row in enumerate(chunk):
            targets[row] = int(drawn[place]) if drawn.dim() == 1 else _relabelled(rows.targets[row], drawn[place])
    tokens = [1 if isinstance(target, int) else sum(label != IGNORED for label in target) for target in targets]
    return replace(rows, targets=targets), torch.tensor(tokens, dtype=torch.float32)


def _relabelled(labels: Sequence[int], drawn: Tensor) -> list[int]:
    """The token drawn after position t is the label at t + 1, where there was a label."""
    return [IGNORED if label == IGNORED else int(drawn[place - 1]) for place, label in enumerate(labels)]
