"""Many LoRA trainings at once: brute force for worlds in which one training takes seconds.

All trainings share the frozen base and the cached states below the lowest adapted layer. Each step takes every
training's own rows of its batch, side by side, and gives every row the adapter of its training; then every training
takes its own step of Adam. What comes out is what the product's training gives for these rows, rounding aside
(tests/test_many_trainings.py).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tribute.config import FinetuningConfig
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.optimizers.adam import adam_of
from tribute.finetuning.training.schedule import learning_rates, schedule

TOKENS = 6144
"""Padded tokens that are computed at once."""
TOGETHER = 160
"""Rows of a step, about, over all trainings that are made together."""


class ManyLora(nn.Module):
    """A linear layer with an adapter for every training."""

    def __init__(self, layer: Any, scale: float, which: "Which") -> None:
        super().__init__()
        self.layer, self.scale, self.which = layer, scale, which
        self.down, self.up = torch.empty(0), torch.empty(0)
        """A [trainings, rank, inputs], B [trainings, outputs, rank]."""

    def forward(self, inputs: Tensor) -> Tensor:
        """[rows, tokens, inputs] → [rows, tokens, outputs]."""
        down, up = self.down[self.which.training], self.up[self.which.training]
        added = torch.bmm(torch.bmm(inputs, down.mT), up.mT)
        return torch.add(self.layer(inputs), added, alpha=self.scale)


class Which:
    """The training of every row that is computed now."""

    training: Tensor


class ManyTrainings:
    """Trains a model that starts above its cached layers; the model must have no adapter yet."""

    def __init__(self, build: Any, config: FinetuningConfig) -> None:
        """`build` makes a fresh RowModel."""
        self.build, self.config, self.which = build, config, Which()
        self.model, self.starts = build(), dict[int, list[Tensor]]()
        add_lora(self.model, config.lora, 0)
        self.layers = self._replaced(self.model.network)

    def losses(self, train: EncodedRows, kept: np.ndarray, seeds: Sequence[int], *parts: EncodedRows) -> np.ndarray:
        """Loss of each row of `parts` after a training on each subset `kept` [trainings, rows], [trainings, ·] nats."""
        found = np.empty((len(kept), sum(map(len, parts))))
        for group in _groups(kept, self.config.batch_size):
            adapters = self._trained(train, kept[group], [seeds[one] for one in group])
            found[group] = np.hstack([self._evaluated(part, adapters) for part in parts])
        return found

    def _replaced(self, network: Any) -> list[ManyLora]:
        from peft.tuners.lora import LoraLayer

        layers = []
        for name, layer in list(network.named_modules()):
            if isinstance(layer, LoraLayer):
                parent, _, own = name.rpartition(".")
                many = ManyLora(layer.get_base_layer(), layer.scaling["default"], self.which)
                setattr(network.get_submodule(parent), own, many)
                layers.append(many)
        return layers

    def _start(self, seed: int) -> list[Tensor]:
        """Both matrices of every adapted layer as `add_lora` makes them."""
        from peft.tuners.lora import LoraLayer

        if seed not in self.starts:
            model = self.build()
            add_lora(model, self.config.lora, seed)
            adapted = [layer for layer in model.network.modules() if isinstance(layer, LoraLayer)]
            self.starts[seed] = [
                side["default"].weight.detach().clone() for layer in adapted for side in (layer.lora_A, layer.lora_B)
            ]
        return self.starts[seed]

    def _trained(self, train: EncodedRows, kept: np.ndarray, seeds: Sequence[int]) -> list[Tensor]:
        """Both matrices of every adapted layer, [trainings, …]."""
        adam = adam_of(self.config)
        theta = [torch.stack(parts) for parts in zip(*(self._start(seed) for seed in seeds), strict=True)]
        moments = [[torch.zeros_like(part) for part in theta] for _ in range(2)]
        plans = {seed: schedule(len(train), self.config, seed) for seed in set(seeds)}
        rates = learning_rates(self.config, len(plans[seeds[0]]))
        for step, rate in enumerate(map(float, rates)):
            asked = [(one, row) for one, seed in enumerate(seeds) for row in plans[seed][step] if kept[one, row]]
            leaves = [part.requires_grad_() for part in theta]
            gradients = self._gradients(train, leaves, asked)
            with torch.no_grad():
                stepped = []
                for part, gradient, m, v in zip(leaves, gradients, *moments, strict=True):
                    gradient = gradient / self.config.batch_size
                    m.lerp_(gradient, 1 - adam.beta1)
                    v.mul_(adam.beta2).addcmul_(gradient, gradient, value=1 - adam.beta2)
                    stepped.append(part.detach() - adam.update(step, rate, m, v).preconditioner * m)
            theta = stepped
        return theta

    def _gradients(self, train: EncodedRows, theta: list[Tensor], asked: list[tuple[int, int]]) -> list[Tensor]:
        """Of the sum of the rows' losses."""
        total = [torch.zeros_like(part) for part in theta]
        for pairs in _chunks(train, asked):
            parts = torch.autograd.grad(self._row_losses(train, theta, pairs).sum(), theta)
            for whole, part in zip(total, parts, strict=True):
                whole += part
        return total

    def _evaluated(self, rows: EncodedRows, theta: list[Tensor]) -> np.ndarray:
        """[trainings, rows]."""
        count = len(theta[0])
        found = np.empty((count, len(rows)))
        with torch.no_grad():
            for pairs in _chunks(rows, [(one, row) for one in range(count) for row in range(len(rows))]):
                losses = self._row_losses(rows, theta, pairs).double().numpy()
                found[[one for one, _ in pairs], [row for _, row in pairs]] = losses
        return found

    def _row_losses(self, rows: EncodedRows, theta: list[Tensor], pairs: Sequence[tuple[int, int]]) -> Tensor:
        """As `RowModel.row_losses`, but of a causal model the head sees response tokens alone."""
        for place, layer in enumerate(self.layers):
            layer.down, layer.up = theta[2 * place], theta[2 * place + 1]
        self.which.training = torch.tensor([one for one, _ in pairs])
        batch = rows.collate([row for _, row in pairs])
        if not isinstance(self.model, ResponseModel):
            return self.model.row_losses(batch)
        labels = batch.pop("labels")[:, 1:]
        network = self.model.network.get_base_model()
        states = network.model(**batch, use_cache=False).last_hidden_state[:, :-1]
        row, place = (labels != IGNORED).nonzero(as_tuple=True)
        losses = functional.cross_entropy(network.lm_head(states[row, place]), labels[row, place], reduction="none")
        sums = torch.zeros(len(pairs)).index_add(0, row, losses)
        return sums / torch.bincount(row, minlength=len(pairs))


def _groups(kept: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Trainings that are made together: those with few rows beside many others."""
    order = np.argsort(kept.sum(1), kind="stable")
    rows = np.maximum(kept.mean(1)[order] * batch_size, 0.5)
    number = (np.cumsum(rows) - rows) // TOGETHER
    for group in np.unique(number):
        yield order[number == group]


def _chunks(rows: EncodedRows, pairs: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Pairs of training and row, rows of like length together, within TOKENS padded tokens; nothing for no pairs."""
    lengths = rows.lengths()
    ordered = sorted(pairs, key=lambda pair: -lengths[pair[1]])
    while ordered:
        size = max(1, TOKENS // int(lengths[ordered[0][1]]))
        yield ordered[:size]
        ordered = ordered[size:]
