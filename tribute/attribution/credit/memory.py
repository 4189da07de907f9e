"""A memory of the frozen base's states: the stand-in for a fine-tuned causal model, nothing of it is trained.

A kNN language model with Dirichlet counts (Khandelwal et al. 2020): every response token that a row teaches is
remembered at the state from which the base predicts it, and an evaluation token whose state is near asks those
memories. With K the kernel of two states and y their tokens,

    p(y_t) = (p₀(y_t) + a Σ_i w_i N_ti) / (1 + a Σ_i w_i D_ti)
    D_ti = Σ_{s∈i} K_ts,   N_ti = Σ_{s∈i} K_ts·1[y_s = y_t]

`length` a is the smallest with which the memory gains on all rows what the fine-tune gained, times
(all / rows)^POWER on fewer. N and D are summed by row, [evaluation tokens, rows], block by block.
"""

from dataclasses import dataclass, replace

import numpy as np

from tribute.attribution.credit.stand_in import first_enough

WIDTH = 0.25
"""Of the kernel, in squared distances of two states from each other: fixed, see docs/attribution.md."""
POWER = 0.5
LENGTHS = np.geomspace(1e-3, 1e3, 121)
BLOCK = 512
"""Evaluation tokens that meet all training tokens at a time."""

Kernel = tuple[np.ndarray, float]
"""Centre of the states [width], and twice the squared width."""


def kernel_of(train: np.ndarray, evaluation: np.ndarray) -> Kernel:
    """The kernel for states float [tokens, width] of training and evaluation."""
    centre = np.concatenate([train, evaluation]).mean(0)
    sizes = [float(np.median(((part - centre) ** 2).sum(1))) for part in (train, evaluation)]
    return centre, 2 * WIDTH**2 * max(sum(sizes), 1e-12)


@dataclass(frozen=True)
class Memory:
    """What evaluation tokens find in the rows' memories."""

    near: np.ndarray
    """D, float32 [evaluation tokens, rows]."""
    agreeing: np.ndarray
    """N, float32 [evaluation tokens, rows]."""
    before: np.ndarray
    """p₀ of every evaluation token, [evaluation tokens]."""
    tokens: np.ndarray
    """The evaluation row of every token, int [evaluation tokens], each row's tokens together."""
    length: float = 0.0

    @classmethod
    def of(
        cls,
        states: tuple[np.ndarray, np.ndarray],
        labels: tuple[np.ndarray, np.ndarray],
        rows: tuple[np.ndarray, np.ndarray],
        before: np.ndarray,
        count: int,
        kernel: Kernel | None = None,
    ) -> "Memory":
        """From states float [tokens, width], token ids [tokens] and rows int [tokens] of training and evaluation.

        `before` is p₀, `count` the number of training rows. Other rows than the evaluation's are asked with the
        `kernel` of the evaluation.
        """
        centre, wide = kernel or kernel_of(*states)
        order = np.argsort(rows[0], kind="stable")
        owners, starts = np.unique(rows[0][order], return_index=True)
        train, asked, taught = states[0][order] - centre, states[1] - centre, labels[0][order]
        train_size, asked_size = (train**2).sum(1), (asked**2).sum(1)
        shape = len(asked), count
        near, agreeing = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for first in range(0, len(asked), BLOCK):
            part = slice(first, first + BLOCK)
            distances = asked_size[part, None] + train_size - 2 * asked[part] @ train.T
            close = np.exp(-np.maximum(distances, 0) / wide).astype(np.float32)
            near[part, owners] = np.add.reduceat(close, starts, axis=1)
            agreeing[part, owners] = np.add.reduceat(close * (labels[1][part, None] == taught), starts, axis=1)
        return cls(near, agreeing, before, rows[1])

    @property
    def content(self) -> np.ndarray:
        """See StandIn: which evaluation tokens a row lies near, as parts of all."""
        near = self.near.T.astype(np.float32)
        return np.asarray(near / np.maximum(near.sum(1, keepdims=True), 1e-12))

    def fitted(self, gain: float) -> "Memory":
        """With the length that gains what the fine-tune gained, nats."""
        everything = np.ones(self.near.shape[1])
        before = self.losses(0 * everything).mean()

        def gained(length: float) -> float:
            return float(before - replace(self, length=length).losses(everything).mean())

        return replace(self, length=first_enough(gained, gain, LENGTHS)[0])

    def losses(self, weights: np.ndarray) -> np.ndarray:
        """See StandIn: the mean over each row's tokens."""
        agreeing, near, _ = self._asked(weights)
        return self._by_row(np.log(near) - np.log(agreeing))

    def slopes(self, weights: np.ndarray, readings: np.ndarray) -> np.ndarray:
        """See StandIn, in closed form."""
        agreeing, near, strength = self._asked(weights)
        share = (readings / np.bincount(self.tokens)[:, None])[self.tokens].T
        slopes = (share * strength / agreeing) @ self.agreeing - (share * strength / near) @ self.near
        # The strength itself depends on how many rows there are, of which each is one.
        change = -POWER / max(float(weights.sum()), 1e-12)
        pull = (agreeing - self.before) / agreeing - (near - 1) / near
        return np.asarray(slopes + (share @ pull)[:, None] * change)

    def _asked(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        count = max(float(weights.sum()), 1e-12)
        strength = self.length * (len(weights) / count) ** POWER
        return self.before + strength * self.agreeing @ weights, 1 + strength * self.near @ weights, strength

    def _by_row(self, losses: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(self.tokens, weights=losses) / np.bincount(self.tokens))
