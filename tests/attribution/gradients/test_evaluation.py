"""Gradients of what is asked about are those that autograd gives for the same weighted sum of losses."""

import numpy as np
import pytest
import torch

from tribute.attribution.gradients.evaluation import evaluation_gradient, slice_gradients, weighted_gradients
from tribute.finetuning.preparation.preparation import prepare

pytestmark = pytest.mark.numeric


@pytest.fixture
def ready(dataset, config, tmp_path):
    """A classifier with fresh adapters that have moved a little, so that every gradient counts."""
    ready = prepare(dataset, config, tmp_path, 0)
    torch.manual_seed(1)
    with torch.no_grad():
        for value in ready.model.trainable().values():
            value.add_(0.05 * torch.randn_like(value))
    return ready


def expected(ready, weights):
    """The gradient of the weighted sum of all evaluation losses, [parameters]."""
    rows = ready.evaluation
    losses = ready.model.row_losses(rows.collate(range(len(rows))))
    parts = torch.autograd.grad(losses @ torch.tensor(weights, dtype=torch.float32), ready.model.trainable().values())
    return torch.cat([part.reshape(-1) for part in parts])


def close(found, wanted):
    return torch.allclose(found, wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()))


def test_each_scalar_has_weights_of_its_own(ready):
    """Whatever they are, in one pass; the losses come along."""
    rows = ready.evaluation
    weights = np.random.default_rng(0).normal(size=(len(rows), 2))

    found, losses = weighted_gradients(ready.model, rows, weights)

    assert all(close(found[scalar], expected(ready, weights[:, scalar])) for scalar in range(2))
    with torch.no_grad():
        wanted = ready.model.row_losses(rows.collate(range(len(rows))))
    assert np.allclose(losses, wanted.numpy(), rtol=1e-4)


def test_the_mean_loss_and_its_slices(ready):
    """Every slice has its part of the mean loss, and the parts add up."""
    rows = ready.evaluation
    mine = np.array([name == "drawing" for name in rows.slices]) / len(rows)

    names, found = slice_gradients(ready.model, rows)

    assert names == ["algebra", "drawing", "networks"]
    assert close(found[1], expected(ready, mine))
    assert close(found.sum(0), evaluation_gradient(ready.model, rows))


def test_one_answer(ready):
    """The gradient of a single row is that of its own loss."""
    only = np.eye(len(ready.evaluation))[3]

    found = evaluation_gradient(ready.model, ready.evaluation.take([3]))

    assert close(found, expected(ready, only))
