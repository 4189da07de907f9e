"""Theorem: a layer used or shared in any way is captured whole, and what cannot be captured is refused by name."""

import pytest
import torch
from torch import nn

from tests.attribution.helpers.autograd import by_autograd, distance
from tests.finetuning.helpers import tiny
from tribute.attribution.gradients.capture import capture, row_gradients
from tribute.errors import AttributionError
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.preparation.preparation import prepare

pytestmark = pytest.mark.numeric


class Sum(RowModel):
    """A model of one layer; a row's loss is the sum of what the layer gives."""

    def __init__(self, layer, times=1):
        super().__init__()
        self.layer, self.times = layer, times

    def row_results(self, batch):
        hidden = batch["x"]
        for _ in range(self.times):
            hidden = self.layer(hidden)
        losses = hidden.float().flatten(1).pow(2).sum(1)
        return losses, torch.ones(len(losses))


def test_a_layer_used_twice_adds_up():
    """Each use gives its own part of the gradient."""
    torch.manual_seed(0)
    model, batch = Sum(nn.Linear(4, 4, bias=False), times=2), {"x": torch.randn(5, 3, 4)}

    with capture(model) as collector:
        _, gradients = row_gradients(model, collector, batch)

    alone = torch.stack([by_autograd(model, {"x": row[None]}) for row in batch["x"]])
    assert distance(gradients, alone) < 1e-5


class Tied(RowModel):
    """Tokens are looked up in the very weight that maps the hidden states back to tokens."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def row_results(self, batch):
        losses = self.head(self.embedding(batch["x"])).pow(2).flatten(1).sum(1)
        return losses, torch.ones(len(losses))


def test_a_weight_that_two_layers_share_adds_up():
    """Both uses belong to the row."""
    torch.manual_seed(0)
    model, batch = Tied(), {"x": torch.randint(0, 7, (5, 3))}

    with capture(model) as collector:
        _, gradients = row_gradients(model, collector, batch)

    alone = torch.stack([by_autograd(model, {"x": row[None]}) for row in batch["x"]])
    assert distance(gradients, alone) < 1e-5


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (5, 3, 4), (5, 2, 3, 4)])
def test_any_shape_will_do_that_starts_with_the_row(shape, bias):
    """Linear layers work on vectors, on tokens, on heads of tokens."""
    torch.manual_seed(0)
    model, batch = Sum(nn.Linear(4, 2, bias=bias)), {"x": torch.randn(*shape)}

    with capture(model) as collector:
        _, gradients = row_gradients(model, collector, batch)

    alone = torch.stack([by_autograd(model, {"x": row[None]}) for row in batch["x"]])
    assert distance(gradients, alone) < 1e-5


class Doubled(nn.Linear):
    """Does more than a linear layer."""

    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.LayerNorm(4, bias=False), r"layer\.weight is trained in a LayerNorm"),
        (nn.Conv1d(4, 4, 1, bias=False), r"layer\.weight is trained in a Conv1d"),
        (nn.Embedding(9, 4, max_norm=1), r"layer\.weight is trained in a Embedding"),
        (nn.Embedding(9, 4, scale_grad_by_freq=True), r"layer\.weight is trained in a Embedding"),
        (Doubled(4, 4, bias=False), r"layer\.weight is trained in a Doubled"),
    ],
)
def test_what_cannot_be_captured_is_refused_by_name(layer, name):
    """Its part would silently be left out of the credit, or be wrong."""
    with (
        pytest.raises(AttributionError, match=name + r"; .* change finetuning\.lora\.target_modules"),
        capture(Sum(layer)),
    ):
        pass


class Elsewhere(Sum):
    """Uses its layer's weight once more without the layer."""

    def row_results(self, batch):
        losses, right = super().row_results(batch)
        return losses + self.layer.weight.pow(2).sum(), right


def test_a_weight_that_is_used_outside_its_layer_is_refused():
    """The rows' gradients would not sum to the batch's."""
    model = Elsewhere(nn.Linear(4, 4, bias=False))

    with capture(model) as collector, pytest.raises(AttributionError, match=r"layer\.weight do not sum"):
        row_gradients(model, collector, {"x": torch.randn(3, 4)})


class Flattened(Sum):
    """Gives its layer tokens, not rows."""

    def row_results(self, batch):
        losses, _ = super().row_results({"x": batch["x"].flatten(0, 1)})
        return losses.view(len(batch["x"]), -1).sum(1), torch.ones(len(batch["x"]))


def test_a_layer_that_does_not_see_rows_is_refused_by_name():
    """Nobody could tell whose gradient is whose."""
    model = Flattened(nn.Linear(4, 4, bias=False))

    with capture(model) as collector, pytest.raises(AttributionError, match=r"layer\.weight sees 6 rows .* has 3"):
        row_gradients(model, collector, {"x": torch.randn(3, 2, 4)})


def test_an_adapted_embedding_is_refused_by_name(dialogues, llama, tmp_path, monkeypatch):
    """LoRA can adapt embeddings; attribution cannot follow it there, should a model come with it."""
    monkeypatch.setattr("tribute.finetuning.models.lora._check_modules", lambda *_: set())
    config = tiny.llama_config(llama, lora={"target_modules": ["embed_tokens"]})
    ready = prepare(dialogues, config, tmp_path, 0)

    with pytest.raises(AttributionError, match=r"embed_tokens\.lora_embedding_A"), capture(ready.model):
        pass


def test_a_layer_that_the_loss_does_not_reach_is_refused_by_name():
    """Its rows would have no gradient to speak of."""
    model = Sum(nn.Linear(4, 4, bias=False))
    model.idle = nn.Linear(4, 4, bias=False)

    with capture(model) as collector, pytest.raises(AttributionError, match=r"does not depend on idle\.weight"):
        row_gradients(model, collector, {"x": torch.randn(2, 4)})
