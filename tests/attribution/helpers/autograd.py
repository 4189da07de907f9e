"""Gradients without our code, and how far two gradients are apart."""

import torch

from tribute.finetuning.recording.trace import flatten


def by_autograd(model, batch):
    """The gradient of the batch's summed loss, without capture."""
    gradients = torch.autograd.grad(model.row_losses(batch).sum(), list(model.trainable().values()))
    return flatten(dict(zip(model.trainable(), gradients, strict=True)))


def distance(found, expected):
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())
