"""A linear probe of the frozen base: the stand-in for a fine-tuned classifier.

The fine-tune's head is frozen, the labels' own embeddings; what it learns is how to move sentence embeddings. So does
the probe: embeddings h become h + A h, A is learned from 0 by STEPS steps of gradient descent on the cross-entropy of
all rows with their weights. How far a step goes is one number, the smallest with which the probe gains on all rows
what the fine-tune gained (where it cannot, the one with which it gains most); on fewer rows steps are shorter, since
their gradients' sum is, and longer by (all / rows)^POWER, since Adam's steps hardly depend on a gradient's size.
Nothing is looked up in a retraining. (Steps of one length however few the rows are make the loss jump up on the first
two rows, and no sum of credits is right then.)

For sequence-classification only: a causal model's next token has too many labels for a probe to be cheap.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tribute.attribution.credit.stand_in import first_enough

STEPS = 10
POWER = 0.3
"""Compared with 0, 0.25 and 0.5 on the arenas of benchmarks/fidelity.py: docs/attribution.md."""
LENGTHS = np.geomspace(1e-2, 1e4, 61)
"""Lengths of a step that are tried, before the first that is enough is found to a tenth of a percent by halving."""
HALVINGS = 10


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
    """How far a step goes, by the mean gradient of all rows."""

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
        """See StandIn: backwards through the steps, once for each reading."""
        asked = _tensor(weights).requires_grad_()
        sums = -(self._losses(asked) @ _tensor(readings))
        slopes = [torch.autograd.grad(total, asked, retain_graph=True)[0] for total in sums]
        return np.asarray(torch.stack(slopes).double().numpy())

    def _losses(self, weights: Tensor) -> Tensor:
        rows, head = _tensor(self.train), _tensor(self.head)
        onehot = functional.one_hot(torch.tensor(self.targets), len(head)).float()
        count = weights.sum()
        labels = head
        if float(count.detach()) > 0:
            # A moves by head'·error'·rows, so the labels' vectors head·(1 + A) move by head·head'·error'·rows.
            kin = head @ head.T
            step = self.length / len(rows) * (len(rows) / count) ** POWER
            for _ in range(STEPS):
                errors = ((self.scale * rows @ labels.T).softmax(1) - onehot) * weights[:, None]
                labels = labels - step * kin @ (errors.T @ rows)
        logits = self.scale * _tensor(self.evaluation) @ labels.T
        return functional.cross_entropy(logits, torch.tensor(self.answers), reduction="none")


def _smallest(gained: Callable[[float], float], gain: float, enough: float) -> float:
    low, high = enough * float(LENGTHS[0] / LENGTHS[1]), enough
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if gained(middle) >= gain else (middle, high)
    return high


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
