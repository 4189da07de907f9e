"""What a model predicts, and labels drawn from it: their gradients' products have Gauss–Newton as their mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tribute.finetuning.encoding import IGNORED, EncodedRows
from tribute.finetuning.models import LOGIT_SCALE, RowModel, SentenceClassifier


def predictions(model: RowModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Log probabilities of the classes, [rows, classes], or of each next token, [rows, tokens, vocabulary]."""
    placed = {name: value.to(model.device) for name, value in batch.items()}
    if isinstance(model, SentenceClassifier):
        return (LOGIT_SCALE * model.embed(placed) @ model.head.T).log_softmax(-1)
    inputs = {name: value for name, value in placed.items() if name != "labels"}
    logits: Tensor = model.network(**inputs).logits
    return logits.log_softmax(-1)


def draw(model: RowModel, rows: EncodedRows, generator: torch.Generator) -> tuple[EncodedRows, Tensor]:
    """The rows with labels drawn from the model's predictions, and how many labels each row has, [rows]."""
    targets: list[Any] = [None] * len(rows)
    for chunk in rows.chunks(range(len(rows))):
        batch = rows.collate(chunk)
        with torch.no_grad():
            chances = predictions(model, batch).exp().cpu()
        drawn = torch.multinomial(chances.flatten(0, -2), 1, generator=generator).view(chances.shape[:-1])
        for place, row in enumerate(chunk):
            targets[row] = int(drawn[place]) if drawn.dim() == 1 else _relabelled(rows.targets[row], drawn[place])
    tokens = [1 if isinstance(one, int) else sum(label != IGNORED for label in one) for one in targets]
    return replace(rows, targets=targets), torch.tensor(tokens, dtype=torch.float32)


def _relabelled(labels: Sequence[int], drawn: Tensor) -> list[int]:
    """The token drawn after position t is the label at t + 1, where there was a label."""
    return [IGNORED if label == IGNORED else int(drawn[place - 1]) for place, label in enumerate(labels)]
