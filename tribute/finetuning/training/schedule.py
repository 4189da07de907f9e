"""Which rows every step of a training takes, and at which learning rate."""

import numpy as np

from tribute.config import FinetuningConfig

SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
"""`finetuning.schedule` → what transformers calls it."""


def schedule(rows: int, config: FinetuningConfig, seed: int) -> list[list[int]]:
    """Row positions of every step: each epoch a fresh permutation, cut into batches.

    It depends on the number of rows and the seed alone, so trainings without some rows see the others in
    the same steps (common random numbers).
    """
    generator = np.random.Generator(np.random.Philox(seed))
    steps = []
    for _ in range(config.epochs):
        order = generator.permutation(rows)
        steps += [order[start : start + config.batch_size].tolist() for start in range(0, rows, config.batch_size)]
    return steps


def learning_rates(config: FinetuningConfig, steps: int) -> np.ndarray:
    """Linear warm-up from 0, then as `finetuning.schedule` says, float64 [steps]."""
    warm = warmup_steps(config, steps)
    rising = np.arange(warm) / max(1, warm)
    linear = np.arange(steps - warm, 0, -1) / (steps - warm)
    after = {"linear": linear, "cosine": (1 - np.cos(np.pi * linear)) / 2, "constant": np.ones(steps - warm)}
    return config.learning_rate * np.concatenate([rising, after[config.schedule]])


def warmup_steps(config: FinetuningConfig, steps: int) -> int:
    """Steps in which the rate rises; none in a training so short that it would not move."""
    return int(config.warmup * steps)
