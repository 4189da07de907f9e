"""A linear probe of the frozen base: a stand-in for the fine-tune that is trained on any rows in milliseconds.

Softmax regression on the base's sentence embeddings, begun where the fine-tune begins (each label's own embedding), by
STEPS steps of gradient descent of one length. Adam's steps hardly depend on the size of a gradient either, so a few
rows move the probe about as far as many do, as they move the fine-tune. The length is the smallest with which the
probe gains on all rows what the fine-tune gained; where it cannot, the one with which it gains most. Nothing else is
fitted, and nothing is looked up in a retraining.

The probe cannot learn all that the fine-tune learns, but it knows what in-run credit does not: how rows make up for
each other. It is used twice (see estimate.py and evidence.py): its credits, by so many repetitions of a rate design
that little noise is left, are a second witness beside in-run; and what it says of the rows that a real
repetition happened to draw is taken off that repetition, less what it says on average (a control variate, Owen 2013,
ch. 8: right on average whatever the probe is worth, but for how well its own average is known).

For sequence-classification only: a causal model's next token has too many labels for a probe to be cheap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_softmax

from tribute.attribution.retraining import designs
from tribute.progress import Progress, ignore

STEPS = 10
LENGTHS = np.geomspace(1e-3, 10, 81)
"""Lengths of a step that are tried: each is 12 % longer than the one before."""
RUNS, REPETITIONS = 8192, 16
"""Probes that the witness takes at most, and repetitions of the rate design at most, but always two repetitions."""
FIRST = 1000
"""The number of the first: draws that no retraining has, so that its luck is told apart from the average."""
FACTORS = 127
"""Contributors with a factor of their own; more than that share random blocks."""


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
    """How far a step goes."""

    def fitted(self, gain: float) -> "Probe":
        """With the length of step that gains what the fine-tune gained, nats."""
        everything = np.ones(len(self.train), dtype=bool)
        before, best = self.losses(~everything).mean(), (-np.inf, self)
        for length in LENGTHS:
            longer = replace(self, length=float(length))
            gained = float(before - longer.losses(everything).mean())
            if gained >= gain:
                return longer
            best = max(best, (gained, longer), key=lambda pair: pair[0])
        return best[1]

    def losses(self, kept: np.ndarray) -> np.ndarray:
        """Loss of every evaluation row after training on the rows `kept` [rows, bool], nats, [evaluation rows]."""
        weights, rows, places = self.head, self.train[kept], np.arange(int(kept.sum()))
        for _ in range(STEPS):
            errors = np.exp(log_softmax(self.scale * rows @ weights.T, axis=1))
            errors[places, self.targets[kept]] -= 1
            gradient = errors.T @ rows
            weights = weights - self.length * gradient / max(float(np.linalg.norm(gradient)), 1e-12)
        logs = log_softmax(self.scale * self.evaluation @ weights.T, axis=1)
        return np.asarray(-logs[np.arange(len(logs)), self.answers], dtype=np.float64)

    def effects(self, runs: Sequence[designs.RateRun], weights: np.ndarray) -> np.ndarray:
        """What one repetition of a rate design says, trained with the probe, nats [..., factors].

        `weights` [evaluation rows, ...] say which mean of the losses is looked at.
        """
        return designs.rate_effects(runs, np.stack([-self.losses(run.run.kept) @ weights for run in runs]))

    def credits(
        self,
        owner: np.ndarray,
        blocks: np.ndarray,
        weights: np.ndarray,
        progress: Progress = ignore,
    ) -> np.ndarray:
        """Each block's credit over many repetitions, nats [..., blocks].

        `owner` [rows] is each row's contributor, `blocks` [contributors] its block, `weights` as in `effects`.
        """
        size = len(designs.rate_design(owner, blocks, 0, [0]))
        count, effects = max(2, min(REPETITIONS, RUNS // size)), []
        for number in range(count):
            effects.append(self.effects(designs.rate_design(owner, blocks, FIRST + number, [0]), weights))
            progress(number + 1, count)
        return np.asarray(np.mean(effects, axis=0))
