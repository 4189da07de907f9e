"""A linear probe of the frozen base: the stand-in for a fine-tuned classifier.

The fine-tune's head is frozen, the labels' own embeddings; what it learns is how to move sentence embeddings. So does
the probe: embeddings h become h + A h, A is learned from 0 by STEPS steps down the gradient g of the cross-entropy,
summed over all rows with their weights. As Adam's, a step hardly depends on the gradient's size, unless that is small:

    labels ← labels − length · g / √(‖g‖² + (EPS·‖g₀‖)²)

with g₀ the first gradient of all rows. `length` is the smallest with which the probe gains on all rows what the
fine-tune gained (where it cannot, the one with which it gains most). Nothing is looked up in a retraining. (Without
EPS the loss jumps up on the first two rows; with steps in proportion to g few rows teach too little.)

For sequence-classification only: a causal model's next token has too many labels for a probe to be cheap.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tribute.attribution.credit.stand_in import first_enough

STEPS = 10
EPS = 0.2
"""With it the utility grows with the rows as a fine-tune's does in synthetic worlds: docs/attribution.md."""
LENGTHS = np.geomspace(1e-4, 1e2, 61)
"""Lengths of a step that are tried, before the first that is enough is found to a tenth of a percent by halving."""
HALVINGS = 10
TOGETHER = 8
"""Readings that go backwards at once: half the time where rows are few, and none more where they are many."""


@dataclass(frozen=True)
class Probe:
    """Embeddings float32 [rows, width], labels int [rows], and where all start, float32 [labels, width]."""

    train: np.ndarray
    targets: np.ndarray
    evaluation: np.ndarray
    answers: np.ndarray
    head: np.ndarray
    scale: float
    """Logits are products of embeddings and labels, times this."""
    length: float = 0.0
    """How far a step goes at most."""

    @property
    def content(self) -> np.ndarray:
        """See StandIn: embeddings, and labels as far apart."""
        labels = np.eye(len(self.head))[self.targets]
        centred = self.train - self.train.mean(0)
        return np.hstack([centred / max(np.sqrt((centred**2).sum(1).mean()), 1e-12), labels])

    def fitted(self, gain: float) -> "Probe":
        """With the length of step that gains what the fine-tune gained, nats."""
        everything = np.ones(len(self.train))
        before = self.losses(0 * everything).mean()

        def gained(length: float) -> float:
            return float(before - replace(self, length=length).losses(everything).mean())

        length, enough = first_enough(gained, gain, LENGTHS)
        return replace(self, length=_smallest(gained, gain, length) if enough else length)

    def losses(self, weights: np.ndarray) -> np.ndarray:
        """See StandIn."""
        with torch.no_grad():
            return np.asarray(self._losses(_tensor(weights)).double().numpy())

    def slopes(self, weights: np.ndarray, readings: np.ndarray) -> np.ndarray:
        """See StandIn: backwards through the steps, TOGETHER readings at a time."""
        asked = _tensor(weights).requires_grad_()
        sums = -(self._losses(asked) @ _tensor(readings))
        each = torch.eye(len(sums))
        slopes = [
            torch.autograd.grad(sums, asked, each[start:][:TOGETHER], retain_graph=True, is_grads_batched=True)[0]
            for start in range(0, len(sums), TOGETHER)
        ]
        return np.asarray(torch.cat(slopes).double().numpy())

    def effects(self, weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """−∂loss_e/∂w · groups[:, c] at `weights` [rows], nats [evaluation rows, columns].

        Forwards through the steps, once for each column of `groups` [rows, columns], however many are evaluated.
        """
        asked = _tensor(weights)
        moved = [torch.func.jvp(self._losses, (asked,), (_tensor(group),))[1] for group in groups.T]
        return -np.asarray(torch.stack(moved, 1).double().numpy())

    def _losses(self, weights: Tensor) -> Tensor:
        labels = _tensor(self.head)
        for _ in range(STEPS):
            step = self._gradient(labels, weights)
            labels = labels - self.length * step / (step.square().sum() + self._small).sqrt()
        logits = self.scale * _tensor(self.evaluation) @ labels.T
        return functional.cross_entropy(logits, torch.as_tensor(self.answers), reduction="none")

    def _gradient(self, labels: Tensor, weights: Tensor) -> Tensor:
        """Of the rows' summed losses, as it moves the labels' vectors."""
        rows, head = _tensor(self.train), _tensor(self.head)
        onehot = functional.one_hot(torch.as_tensor(self.targets), len(head)).float()
        errors = ((self.scale * rows @ labels.T).softmax(1) - onehot) * weights[:, None]
        # A moves by head'·error'·rows, so the labels' vectors head·(1 + A) move by head·head'·error'·rows.
        return head @ head.T @ (errors.T @ rows)

    @cached_property
    def _small(self) -> Tensor:
        """The square of a small gradient: EPS times the first of all rows."""
        with torch.no_grad():
            first = self._gradient(_tensor(self.head), torch.ones(len(self.train)))
        small: Tensor = (EPS * first.norm()) ** 2 + 1e-30
        return small


def _smallest(gained: Callable[[float], float], gain: float, enough: float) -> float:
    low, high = enough * float(LENGTHS[0] / LENGTHS[1]), enough
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if gained(middle) >= gain else (middle, high)
    return high


def _tensor(values: np.ndarray) -> Tensor:
    """In float32; an array that is, is not copied."""
    return torch.as_tensor(values, dtype=torch.float32)
