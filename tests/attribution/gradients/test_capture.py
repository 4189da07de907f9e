"""Each captured gradient is autograd's for that row alone, and the rows' gradients sum to the batch's.

It follows that nothing else can matter: padding, batch size, the order of rows, or who stands beside whom.
"""

import json
import shutil

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.attribution.helpers.autograd import by_autograd, distance
from tests.finetuning.helpers import tiny
from tribute.attribution.gradients import row_layers
from tribute.attribution.gradients.capture import capture, row_gradients, stream_gradients
from tribute.finetuning.encoding.encoding import IGNORED
from tribute.finetuning.preparation.preparation import prepare

pytestmark = pytest.mark.numeric

CLASSIFICATION = {
    "upper layers": {"target_modules": ["query", "value", "dense"], "layers": [1, 2]},
    "all layers": {"target_modules": ["query", "key", "value", "dense"]},
    "whole linear with bias": {"target_modules": ["query"], "modules_to_save": ["intermediate.dense"]},
    "whole embedding with padding": {"target_modules": ["query"], "modules_to_save": ["word_embeddings"]},
}
CAUSAL = {
    "causal": {"target_modules": ["q_proj", "v_proj", "down_proj"]},
    "causal, scaled by layer": {"target_modules": "all-linear", "rslora": True, "alpha_pattern": {"v_proj": 16}},
    "causal, whole head": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "causal, whole embedding": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
}


@pytest.fixture(scope="module", params=[*CLASSIFICATION, *CAUSAL])
def ready(request, tmp_path_factory):
    """A model that was moved off its start, so that every parameter has a gradient, and its rows; read only."""
    return make_ready(request, request.param, tmp_path_factory.mktemp("scratch"))


def make_ready(request, kind, scratch, base=None):
    if kind in CAUSAL:
        dataset, folder = request.getfixturevalue("dialogues"), base or request.getfixturevalue("llama")
        config = tiny.llama_config(folder, lora={"r": 4, "alpha": 8, **CAUSAL[kind]})
    else:
        dataset, folder = request.getfixturevalue("dataset"), request.getfixturevalue("bert")
        config = tiny.bert_config(folder, lora={"r": 4, "alpha": 8, **CLASSIFICATION[kind]})
    made = prepare(dataset, config, scratch, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in made.model.trainable().values():
            value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    return made


def captured(ready, rows):
    with capture(ready.model) as collector:
        return row_gradients(ready.model, collector, ready.train.collate(rows))


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


def test_streamed_gradients_are_the_rows_gradients(ready):
    """Every parameter of every row is handed on once, and the sum that comes back is the batch's gradient."""
    batch = ready.train.collate(range(10))
    _, expected = captured(ready, range(10))
    streamed = torch.zeros_like(expected)

    with capture(ready.model) as opened:

        def receive(name, part, gradients):
            assert gradients.dtype == torch.float32
            streamed[part, opened.places[name]] += gradients.flatten(1)

        losses, total = stream_gradients(ready.model, opened, batch, receive)

    assert len(losses) == 10
    assert distance(streamed, expected) < 1e-6
    assert distance(total, by_autograd(ready.model, batch)) < 1e-5


def test_large_layers_are_formed_in_parts(ready, monkeypatch):
    """How many rows a layer's gradients are formed of at once changes memory, not the gradients."""
    _, whole = captured(ready, range(10))
    whole = whole.clone()

    monkeypatch.setattr(row_layers, "FLOATS_AT_ONCE", 500)
    _, parts = captured(ready, range(10))

    assert distance(parts, whole) < 1e-6


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


@pytest.mark.parametrize("kind", ["all layers", "whole linear with bias", "causal", "causal, whole head"])
def test_a_bfloat16_base_is_followed(request, tmp_path, kind):
    """LoRA in float32 on frozen weights in bfloat16: what differs from autograd is the base's own rounding."""
    ready = make_ready(request, kind, tmp_path)
    trainable = ready.model.trainable().values()
    kept = [value.detach().clone() for value in trainable]
    ready.model.to(torch.bfloat16)
    for value, before in zip(trainable, kept, strict=True):
        value.data = before if kind in ("all layers", "causal") else before.bfloat16()

    _, gradients = captured(ready, range(10))

    alone = torch.stack([by_autograd(ready.model, ready.train.collate([row])) for row in range(10)])
    assert gradients.dtype == torch.float32
    assert distance(gradients, alone) < bfloat16_bound(ready)


def bfloat16_bound(ready):
    """How far two ways to the same gradient may be apart, relative, where every result is rounded to bfloat16.

    A result keeps 8 bits, so a rounding is off by at most 2⁻⁸, evenly: 2⁻⁸/√3 on average. A gradient goes through
    about 14 results per layer forward and as many back; the roundings of both ways are independent and add up as a
    random walk, of which this is four standard deviations. A lost mask or a lost use of a layer is off by 1.
    """
    roundings = 2 * 28 * ready.model.network.config.num_hidden_layers
    return 4 * roundings**0.5 * 2**-8 / 3**0.5


class Quantised(nn.Module):
    """A frozen linear layer in int8, as a quantised base holds them: no floating-point weight to be found."""

    def __init__(self, layer):
        super().__init__()
        self.scale = float(layer.weight.abs().max()) / 127
        self.register_buffer("weight", (layer.weight / self.scale).round().to(torch.int8))
        self.bias = layer.bias

    def forward(self, x):
        return functional.linear(x, self.weight.float() * self.scale, self.bias)


@pytest.mark.parametrize("kind", ["upper layers", "causal"])
def test_a_quantised_base_is_followed(request, tmp_path, kind):
    """Only what is trained is touched, so the frozen layers may be anything that can be called."""
    ready = make_ready(request, kind, tmp_path)
    for layer in [module for module in ready.model.modules() if hasattr(module, "lora_A")]:
        layer.base_layer = Quantised(layer.base_layer)

    _, gradients = captured(ready, range(10))

    alone = torch.stack([by_autograd(ready.model, ready.train.collate([row])) for row in range(10)])
    assert distance(gradients, alone) < 1e-5


@pytest.mark.parametrize("kind", ["causal, whole head", "causal, whole embedding"])
def test_a_module_saved_from_a_tied_pair_learns_alone(request, tmp_path, llama, kind):
    """Head and embedding share a weight; the copy that is trained is one of them, and its gradient is its own."""
    base = shutil.copytree(llama, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    ready = make_ready(request, kind, tmp_path, base)

    _, gradients = captured(ready, range(10))

    alone = torch.stack([by_autograd(ready.model, ready.train.collate([row])) for row in range(10)])
    assert distance(gradients, alone) < 1e-5
