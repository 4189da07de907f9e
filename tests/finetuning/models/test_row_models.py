"""A row's loss is its own: who stands beside it, and how the model was cut to be quick, change nothing."""

import pytest
import torch
from torch.nn import functional

from tribute.config import LoraConfig
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapters import save_adapter
from tribute.finetuning.encoding.encoding import IGNORED
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.models.lora import add_lora, load_adapter
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import LOGIT_SCALE, build_causal, build_classifier
from tribute.finetuning.preparation.preparation import build_model, encode
from tribute.finetuning.preparation.task_types import TASK_TYPES

pytestmark = pytest.mark.numeric


def both(request, task):
    names = {"sequence-classification": ("dataset", "config"), "causal-lm": ("dialogues", "causal_config")}
    dataset, config = (request.getfixturevalue(name) for name in names[task])
    return build_model(dataset, config), encode(dataset, config, "train")[1], config


@pytest.mark.parametrize("task", ["sequence-classification", "causal-lm"])
def test_a_rows_loss_does_not_depend_on_the_rows_beside_it(request, task):
    """Padding is masked in both kinds of model."""
    model, rows, _ = both(request, task)

    with torch.no_grad():
        together = model.row_losses(rows.collate(range(10)))
        alone = torch.cat([model.row_losses(rows.collate([row])) for row in range(10)])

    assert len(set(rows.lengths()[:10])) > 1
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_the_head_is_made_of_the_labels_own_embeddings(bert):
    """A sentence that is a label's name lies exactly at it: the model classifies before any training."""
    labels = ["matrix vector", "socket server", "colour"]
    tokenizer = load_tokenizer(bert)
    model = build_classifier(bert, tokenizer, labels)
    batch = dict(tokenizer(labels, padding=True, return_tensors="pt")) | {"labels": torch.arange(3)}
    batch.pop("token_type_ids", None)

    losses, right = model.row_results(batch)

    assert right.tolist() == [1, 1, 1]
    cosines = model.head @ model.head.T
    assert torch.allclose(losses, -functional.log_softmax(LOGIT_SCALE * cosines, dim=1).diagonal(), atol=1e-4)


def test_a_causal_loss_counts_the_responses_tokens_only(dialogues, causal_config):
    """It is the mean of −log p over the response, whatever the prompt's labels would be."""
    model, rows = build_model(dialogues, causal_config), encode(dialogues, causal_config, "train")[1]
    batch = rows.collate([0])
    answer = [label for label in rows.targets[0] if label != IGNORED]

    with torch.no_grad():
        loss = model.row_losses(batch)
        logits = model.network(input_ids=batch["input_ids"]).logits[0]

    at = range(len(rows.tokens[0]) - len(answer) - 1, len(rows.tokens[0]) - 1)
    chosen = logits.log_softmax(-1)[list(at), answer]
    assert float(loss) == pytest.approx(-float(chosen.mean()), rel=1e-5)


def test_a_response_is_right_when_every_token_is(llama):
    """One token that would not have been chosen makes the row wrong."""
    model = build_causal(llama)
    prompt = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        best = int(model.network(input_ids=prompt).logits[0, -1].argmax())
    tokens = torch.tensor([[5, 6, 7, best], [5, 6, 7, best ^ 1]])
    batch = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": tokens.clone()}
    batch["labels"][:, :3] = IGNORED

    _, right = model.row_results(batch)

    assert right.tolist() == [1, 0]


@pytest.mark.parametrize("lowest", [1, 2])
def test_cached_lower_layers_give_the_same_losses(dataset, config, lowest):
    """The network that starts above the cached layers is the whole network."""
    lora = LoraConfig(layers=tuple(range(lowest, 3)))
    rows = encode(dataset, config, "train")[1]
    whole, cut = build_model(dataset, config), build_model(dataset, config)

    (cached,) = cache_lower_layers(cut, lora, rows)

    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            expected = whole.row_losses(rows.collate(chunk))
            assert torch.allclose(cut.row_losses(cached.collate(chunk)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layers", [None, (0, 2)])
def test_a_network_adapted_at_the_bottom_is_left_whole(dataset, config, layers):
    """There is nothing below to cache."""
    model, rows = build_model(dataset, config), encode(dataset, config, "train")[1]

    assert cache_lower_layers(model, LoraConfig(layers=layers), rows) == [rows]
    assert rows.hidden is None


def test_a_decoder_starts_above_its_cached_layers(dialogues, causal_config):
    """Losses, and so gradients of what is adapted, are those of the whole network."""
    rows, lora = encode(dialogues, causal_config, "train")[1], LoraConfig(layers=(1,), target_modules=("q_proj",))
    whole, cut = build_model(dialogues, causal_config), build_model(dialogues, causal_config)

    (cached,) = cache_lower_layers(cut, lora, rows)
    for model in (whole, cut):
        add_lora(model, lora, 0)

    assert cached.hidden is not None
    for chunk in rows.chunks(range(len(rows))):
        losses = [model.row_losses(part.collate(chunk)) for model, part in ((whole, rows), (cut, cached))]
        assert torch.allclose(*losses, rtol=1e-5, atol=1e-5)
        for loss in losses:
            loss.sum().backward()
    for one, other in zip(whole.trainable().values(), cut.trainable().values(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_decoder_that_does_more_than_its_layers_is_left_whole(dialogues, causal_config):
    """Where a network changes what it is given before the first layer, the cached states would be changed twice."""
    model, rows = build_model(dialogues, causal_config), encode(dialogues, causal_config, "train")[1]
    decoder = model.network.model

    def scaled(module, args, kwargs):
        given = kwargs.get("inputs_embeds")
        given = decoder.embed_tokens(kwargs["input_ids"]) if given is None else given
        return args, kwargs | {"input_ids": None, "inputs_embeds": 3.0 * given}

    decoder.register_forward_pre_hook(scaled, with_kwargs=True)
    with torch.no_grad():
        before = model.row_losses(rows.collate(range(4)))

    assert cache_lower_layers(model, LoraConfig(layers=(1,)), rows) == [rows]
    with torch.no_grad():
        assert torch.equal(model.row_losses(rows.collate(range(4))), before)


def test_a_fresh_adapter_changes_nothing(dataset, config):
    """B is zero, so training starts at the base; A depends on the seed alone."""
    rows = encode(dataset, config, "train")[1].collate(range(8))
    models = [build_model(dataset, config) for _ in range(3)]
    before = models[0].row_losses(rows)

    for model, seed in zip(models, (0, 0, 1), strict=True):
        add_lora(model, config.lora, seed)

    first, second, other = (model.trainable() for model in models)
    assert torch.allclose(models[0].row_losses(rows), before, atol=1e-6)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_only_lora_learns(dataset, config):
    """The base and the head stay as they are, and the order of parameters is fixed."""
    model = build_model(dataset, config)

    add_lora(model, config.lora, 0)

    names = list(model.trainable())
    assert names == sorted(names)
    assert all("lora_A" in name or "lora_B" in name for name in names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"target_modules": ("q_proj",)},
            r"target_modules: the base has no module q_proj; .*query",
        ),
        ({"target_modules": ("query", "qery")}, "target_modules: the base has no module qery"),
        ({"target_modules": ("LayerNorm",)}, "target_modules: LayerNorm is a LayerNorm; attribution follows"),
        ({"modules_to_save": ("LayerNorm",)}, "modules_to_save: LayerNorm is a LayerNorm; attribution follows"),
        ({"layers": (99,)}, r"finetuning\.lora\.layers: the base has layers 0 to \d, found 99"),
    ],
)
def test_what_the_base_has_not_or_attribution_cannot_follow_is_refused(dataset, config, change, message):
    """Before anything is trained: the message names the setting, what was looked for and what there is."""
    lora = config.lora.model_copy(update=change)

    with pytest.raises(TrainingError, match=message):
        add_lora(build_model(dataset, config), lora, 0)


SAVED = {
    "sequence-classification": ("word_embeddings", "intermediate.dense"),
    "causal-lm": ("embed_tokens", "lm_head"),
}


@pytest.mark.parametrize("task", SAVED)
def test_modules_to_save_are_trained_whole_and_saved_with_the_adapter(request, task, tmp_path):
    """They stand beside LoRA among the trainable parameters, and loading the adapter brings them back."""
    model, rows, config = both(request, task)
    queries = {"sequence-classification": ("query",), "causal-lm": ("q_proj",)}[task]
    lora = config.lora.model_copy(update={"target_modules": queries, "layers": None, "modules_to_save": SAVED[task]})
    add_lora(model, lora, 0)
    with torch.no_grad():
        for value in model.trainable().values():
            value.add_(0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
        expected = model.row_losses(rows.collate(range(10)))

    save_adapter(model.network, tmp_path, TASK_TYPES[task].peft_name, config.base)
    loaded, _, _ = both(request, task)
    load_adapter(loaded, tmp_path)

    for name in SAVED[task]:
        assert any(f"{name}.modules_to_save" in parameter for parameter in model.trainable())
    with torch.no_grad():
        assert torch.allclose(loaded.row_losses(rows.collate(range(10))), expected, rtol=1e-5)


def test_modules_to_save_that_do_not_exist_are_refused(dataset, config):
    """PEFT would pass over them in silence."""
    lora = config.lora.model_copy(update={"modules_to_save": ("classifier",)})

    with pytest.raises(TrainingError, match=r"modules_to_save: the base has no module classifier"):
        add_lora(build_model(dataset, config), lora, 0)


def test_a_network_with_modules_to_save_is_left_whole(dataset, config):
    """They may lie below the lowest adapted layer."""
    model, rows = build_model(dataset, config), encode(dataset, config, "train")[1]
    lora = LoraConfig(layers=(2,), modules_to_save=("word_embeddings",))

    assert cache_lower_layers(model, lora, rows) == [rows]
    assert rows.hidden is None
