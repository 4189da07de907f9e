"""Each captured gradient is autograd's for that row alone, and the rows' gradients sum to the batch's.

It follows that nothing else can matter: padding, batch size, the order of rows, or who stands beside whom.
"""

import pytest
import torch
from torch import nn

from tests.finetuning import tiny
from tribute.attribution.capture import capture, row_gradients
from tribute.errors import AttributionError
from tribute.finetuning.models import RowModel
from tribute.finetuning.preparation import prepare
from tribute.finetuning.rows import IGNORED
from tribute.finetuning.trace import flatten

TASKS = ("sequence-classification", "causal-lm")


@pytest.fixture(scope="module", params=[*TASKS, "all layers"])
def ready(request, tmp_path_factory):
    """A model whose B is not zero, so that every parameter has a gradient, and its rows; read only."""
    causal = request.param == "causal-lm"
    dataset = request.getfixturevalue("dialogues" if causal else "dataset")
    config = request.getfixturevalue("causal_config" if causal else "config")
    if request.param == "all layers":
        lora = {"target_modules": ["query", "key", "value", "dense"]}
        config = tiny.bert_config(config.base.folder, lora=lora)
    made = prepare(dataset, config, tmp_path_factory.mktemp("scratch"), 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in made.model.trainable().values():
            value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    return made


def by_autograd(model, batch):
    """The gradient of the batch's summed loss, without capture."""
    gradients = torch.autograd.grad(model.row_losses(batch).sum(), list(model.trainable().values()))
    return flatten(dict(zip(model.trainable(), gradients, strict=True)))


def captured(ready, rows):
    with capture(ready.model) as collector:
        return row_gradients(ready.model, collector, ready.train.collate(rows))


def distance(found, expected):
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def test_each_rows_gradient_is_autograds_for_that_row_alone(ready):
    """Within 1e-5, relative: what is off by more has lost the padding's mask or a use of the layer."""
    rows = list(range(10))

    losses, gradients = captured(ready, rows)

    alone = torch.stack([by_autograd(ready.model, ready.train.collate([row])) for row in rows])
    with torch.no_grad():
        assert torch.allclose(losses, ready.model.row_losses(ready.train.collate(rows)), rtol=1e-5)
    assert len(set(ready.train.lengths()[:10])) > 1
    assert distance(gradients, alone) < 1e-5


def test_the_rows_gradients_sum_to_the_batchs(ready):
    """The invariant that the credit's total rests on."""
    _, gradients = captured(ready, range(10))

    assert distance(gradients.sum(0), by_autograd(ready.model, ready.train.collate(range(10)))) < 1e-5


def test_a_training_step_under_capture_gets_the_same_gradient(ready):
    """`backward` fills every parameter's `grad` as it would without."""
    expected = by_autograd(ready.model, ready.train.collate(range(10)))
    parameters = ready.model.trainable()

    with capture(ready.model) as collector:
        ready.model.row_losses(ready.train.collate(range(10))).sum().backward()
        collector.take()

    found = flatten({name: value.grad for name, value in parameters.items()})
    ready.model.zero_grad()
    assert distance(found, expected) < 1e-5


def test_batch_size_does_not_matter(ready):
    """Three rows at a time give what twelve at once give."""
    _, together = captured(ready, range(12))

    apart = torch.cat([captured(ready, range(start, start + 3))[1] for start in range(0, 12, 3)])

    assert distance(apart, together) < 1e-5


def test_the_order_of_rows_does_not_matter(ready):
    """A permutation of the rows permutes their gradients."""
    order = [7, 2, 9, 0, 4, 1, 8, 3, 6, 5]

    _, straight = captured(ready, range(10))
    _, permuted = captured(ready, order)

    assert distance(permuted, straight[order]) < 1e-5


def test_padding_does_not_matter(ready):
    """Ten more padding tokens behind every row change nothing."""
    batch = ready.train.collate(range(6))
    wider = {name: _padded(name, value, ready.train.pad_id) for name, value in batch.items()}

    with capture(ready.model) as collector:
        _, narrow = row_gradients(ready.model, collector, batch)
        _, wide = row_gradients(ready.model, collector, wider)

    assert distance(wide, narrow) < 1e-5


def _padded(name, value, pad_id):
    if value.dim() == 1:
        return value
    fill = {"labels": IGNORED, "input_ids": pad_id}.get(name, 0)
    return torch.cat([value, torch.full((len(value), 10, *value.shape[2:]), fill, dtype=value.dtype)], dim=1)


def test_a_prompt_token_is_not_a_target(dialogues, causal_config, tmp_path):
    """A causal loss counts the response only: other labels in the prompt's place would change the gradient."""
    ready = prepare(dialogues, causal_config, tmp_path, 0)
    batch = ready.train.collate([0])
    counted = batch | {"labels": batch["input_ids"]}

    with capture(ready.model) as collector:
        _, response = row_gradients(ready.model, collector, batch)
        response = response.clone()
        _, everything = row_gradients(ready.model, collector, counted)

    assert distance(response, by_autograd(ready.model, batch)[None]) < 1e-5
    assert distance(response, everything) > 0.1


def test_afterwards_the_model_is_as_it_was(ready):
    """Layers get their own forward back, also when the block was left by an error."""
    layers = [module for module in ready.model.modules() if isinstance(module, nn.Linear)]

    with pytest.raises(ZeroDivisionError), capture(ready.model):
        _ = 1 / 0

    assert not any("forward" in vars(layer) for layer in layers)


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


@pytest.mark.parametrize("shape", [(5, 4), (5, 3, 4), (5, 2, 3, 4)])
def test_any_shape_will_do_that_starts_with_the_row(shape):
    """Linear layers work on vectors, on tokens, on heads of tokens."""
    torch.manual_seed(0)
    model, batch = Sum(nn.Linear(4, 2, bias=False)), {"x": torch.randn(*shape)}

    with capture(model) as collector:
        _, gradients = row_gradients(model, collector, batch)

    alone = torch.stack([by_autograd(model, {"x": row[None]}) for row in batch["x"]])
    assert distance(gradients, alone) < 1e-5


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.Linear(4, 4), r"layer\.(bias|weight) is trained in a Linear"),
        (nn.LayerNorm(4, bias=False), r"layer\.weight is trained in a LayerNorm"),
        (nn.Embedding(9, 4), r"layer\.weight is trained in a Embedding"),
        (nn.Conv1d(4, 4, 1, bias=False), r"layer\.weight is trained in a Conv1d"),
    ],
)
def test_what_cannot_be_captured_is_refused_by_name(layer, name):
    """A bias, a norm, an embedding or a convolution would silently be left out of the credit."""
    with (
        pytest.raises(AttributionError, match=name + r"; .* change finetuning\.lora\.target_modules"),
        capture(Sum(layer)),
    ):
        pass


def test_an_adapted_embedding_is_refused_by_name(dialogues, llama, tmp_path):
    """LoRA can adapt embeddings; attribution cannot follow it there."""
    config = tiny.llama_config(llama, lora={"target_modules": ["embed_tokens"]})
    ready = prepare(dialogues, config, tmp_path, 0)

    with pytest.raises(AttributionError, match=r"embed_tokens\.lora_embedding_A"), capture(ready.model):
        pass


def test_a_layer_that_the_loss_does_not_reach_is_refused_by_name():
    """Its rows would have no gradient to speak of."""
    model = Sum(nn.Linear(4, 4, bias=False))
    model.idle = nn.Linear(4, 4, bias=False)

    with capture(model) as collector, pytest.raises((AttributionError, RuntimeError), match=r"idle|not have been used"):
        row_gradients(model, collector, {"x": torch.randn(2, 4)})
