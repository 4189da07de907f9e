"""What cannot be trained is one line before it starts; what can be is taken whatever its shape."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.finetuning.helpers import tiny
from tribute.config import FinetuningConfig, weights_sha256
from tribute.errors import BaseModelError, TrainingError
from tribute.finetuning.encoding.encoding import RowFormat, beginning, encode_causal
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.base_models import base_digest, load_tokenizer
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.preparation.task_types import described_task

pytestmark = pytest.mark.numeric

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ENCODER = {"target_modules": ["query", "value"], "layers": None}


def edited(name: str, **changes: object) -> Callable[[Path], None]:
    """A change of one of a base's JSON files; None removes a key."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return edit


def replaced_by(model: torch.nn.Module) -> Callable[[Path], None]:
    """Another model's config and weights beside the same tokenizer."""
    return lambda folder: model.save_pretrained(folder)


def without_weight(folder: Path) -> None:
    """One tensor less in the file of weights."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def padded_beyond(folder: Path) -> None:
    """A padding token that was added to the tokenizer alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(folder)


def without_end(folder: Path) -> None:
    """A tokenizer that names no end, and so nothing to pad with either."""
    edited("tokenizer_config.json", eos_token=None, pad_token=None)(folder)


def pads_but_never_ends(folder: Path) -> None:
    """A tokenizer with a padding token and no end."""
    edited("tokenizer_config.json", eos_token=None, pad_token="<s>")(folder)


def vocabulary(folder: Path) -> int:
    """How many tokens a tiny base knows."""
    return int(json.loads((folder / "config.json").read_text())["vocab_size"])


REFUSED = {
    "encoder-decoder for labels": (
        "bert",
        replaced_by(T5ForConditionalGeneration(T5Config(vocab_size=300, d_model=16, d_ff=32, num_layers=1, d_kv=8))),
        {},
        "t5 is an encoder-decoder",
    ),
    "encoder-decoder for responses": (
        "llama",
        replaced_by(T5ForConditionalGeneration(T5Config(vocab_size=600, d_model=16, d_ff=32, num_layers=1, d_kv=8))),
        {},
        "t5 is an encoder-decoder",
    ),
    "encoder for responses": (
        "llama",
        replaced_by(BertForMaskedLM(BertConfig(vocab_size=600, **SIZES))),
        {},
        "bert is an encoder, which cannot learn responses",
    ),
    "missing weight": ("bert", without_weight, {}, "1 weights are missing and would be random, encoder.layer.1"),
    "head for responses missing": (
        "llama",
        edited("config.json", tie_word_embeddings=False, num_hidden_layers=3),
        {},
        "weights are missing and would be random, model.layers.2",
    ),
    "code of its own": (
        "bert",
        edited("config.json", model_type="homemade", auto_map={"AutoModel": "modeling.Homemade"}),
        {},
        "it has code of its own, which is never run",
    ),
    "positions": ("bert", None, {"max_tokens": 65}, "max_tokens: 65, the base has 64 positions; lower it to 64"),
    "positions of a causal model": ("llama", None, {"max_tokens": 65}, "the base has 64 positions"),
    "positions from behind the padding": (
        "bert",
        replaced_by(RobertaModel(RobertaConfig(vocab_size=300, max_position_embeddings=64, pad_token_id=0, **SIZES))),
        {"max_tokens": 64, "lora": ENCODER},
        "the base has 63 positions",
    ),
    "no padding": ("llama", without_end, {}, "neither a padding token nor an end token"),
    "no end": ("llama", pads_but_never_ends, {}, "has no end token; set eos_token"),
    "padding without a vector": (
        "llama",
        padded_beyond,
        {},
        r"pad_token has id \d+, the base has vectors for ids below",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_base_that_cannot_learn_is_refused_in_one_line(case, request, tmp_path):
    """Before anything is trained, with what was found and what to do."""
    name, change, settings, message = REFUSED[case]
    base = shutil.copytree(request.getfixturevalue(name), tmp_path / "base")
    if change is not None:
        change(base)
    dataset = request.getfixturevalue({"bert": "dataset", "llama": "dialogues"}[name])
    make = {"bert": tiny.bert_config, "llama": tiny.llama_config}[name]

    with pytest.raises((TrainingError, BaseModelError), match=message) as refused:
        prepare(dataset, make(base, **settings), tmp_path / "scratch", 0)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("labels", [("algebra", "algebra "), ("Ω", "Ж"), ("drawing", "Ω", "Ж")])
def test_labels_of_the_same_tokens_are_refused(labels, dataset, bert, tmp_path):
    """Unknown words and blanks are the same to the tokenizer, so the labels would be one class."""
    from tribute.finetuning.preparation.base_guards import check_before_loading

    task = described_task({"task": "sequence-classification", "tag": "t@v1.0.0", "labels": labels})

    with pytest.raises(TrainingError, match=r"cannot tell the labels .* apart, both are the tokens"):
        check_before_loading(tiny.bert_config(bert), task)


def test_labels_of_equal_embeddings_are_refused(dataset, bert, tmp_path):
    """Two words whose vectors are the same are one class, whatever their ids."""
    from safetensors.torch import load_file, save_file

    base = shutil.copytree(bert, tmp_path / "base")
    tensors, ids = load_file(base / "model.safetensors"), load_tokenizer(base).get_vocab()
    words = tensors["embeddings.word_embeddings.weight"]
    words[ids["drawing"]] = words[ids["algebra"]]
    save_file(tensors, base / "model.safetensors", {"format": "pt"})

    with pytest.raises(TrainingError, match="cannot tell the labels 'algebra' and 'drawing' apart; name them"):
        prepare(dataset, tiny.bert_config(base), tmp_path / "scratch", 0)


def test_a_row_with_an_id_beyond_the_embedding_is_refused(dialogues, llama, tmp_path):
    """The row is named."""
    base = shutil.copytree(llama, tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["matrix"])
    tokenizer.save_pretrained(base)

    with pytest.raises(TrainingError, match=r"row \S+ has token id \d+, the base has vectors for ids below"):
        prepare(dialogues, tiny.llama_config(base), tmp_path / "scratch", 0)


def same_loss_twice(ready) -> bool:
    """Whether a pass in training mode is repeated to the bit."""
    ready.model.train()
    with torch.no_grad():
        first, second = (ready.model.row_losses(ready.train.collate(range(8))) for _ in range(2))
    return torch.equal(first, second)


@pytest.mark.parametrize("name", ["dropout", "attention_dropout", "seq_classif_dropout"])
def test_dropout_is_off_under_whatever_name(name, dataset, bert, tmp_path):
    """DistilBERT's names are not BERT's."""
    base = shutil.copytree(bert, tmp_path / "base")
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    config = DistilBertConfig(vocab_size=vocabulary(bert), max_position_embeddings=64, **sizes, **{name: 0.5})
    DistilBertModel(config).save_pretrained(base)

    ready = prepare(
        dataset, tiny.bert_config(base, lora={"target_modules": ["q_lin"], "layers": None}), tmp_path / "scratch", 0
    )

    assert same_loss_twice(ready)


def test_a_pass_that_stays_random_is_refused(dataset, config, tmp_path, monkeypatch):
    """Also where its name says nothing of dropout."""
    from tribute.finetuning.models import row_models

    embed = row_models.SentenceClassifier.embed
    monkeypatch.setattr(
        row_models.SentenceClassifier,
        "embed",
        lambda self, batch: embed(self, batch) + torch.rand(1) * self.training,
    )

    with pytest.raises(TrainingError, match="predicts differently each time it reads the same row"):
        prepare(dataset, config, tmp_path, 0)


def gpt2(folder: Path, llama: Path, **options: object) -> Path:
    """A tiny GPT-2, whose layers are Conv1D, with Llama's tokenizer."""
    shutil.copytree(llama, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 1}
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary(llama), **sizes)).save_pretrained(folder, **options)
    return folder


def gpt2_config(base: Path) -> FinetuningConfig:
    """LoRA on GPT-2's own layers."""
    return tiny.llama_config(base, lora={"target_modules": ["c_attn", "c_proj"]})


def test_conv1d_is_followed(dialogues, llama, tmp_path, recwarn):
    """Rows' gradients sum to the batch's in GPT-2's layers, and nothing is warned of."""
    from tribute.attribution.gradients.capture import capture, row_gradients

    ready = prepare(dialogues, gpt2_config(gpt2(tmp_path / "gpt2", llama)), tmp_path / "scratch", 0)
    batch = ready.train.collate(range(6))
    with capture(ready.model) as opened:
        _, gradients = row_gradients(ready.model, opened, batch)
        rows = gradients.sum(0).clone()
    ready.model.row_losses(batch).sum().backward()

    whole = torch.cat([value.grad.flatten() for value in ready.model.trainable().values()])
    assert torch.allclose(rows, whole, rtol=1e-4, atol=1e-6)
    assert not [warning for warning in recwarn if "fan_in_fan_out" in str(warning.message)]


def test_weights_in_shards_are_the_same_base(dialogues, llama, tmp_path):
    """They load to the same losses; every shard counts for the digest; one that is torn or missing is one line."""
    whole, shards = gpt2(tmp_path / "whole", llama), gpt2(tmp_path / "shards", llama, max_shard_size="8KB")
    losses = [
        evaluate(ready.model, ready.evaluation).losses
        for ready in (prepare(dialogues, gpt2_config(base), tmp_path / base.name) for base in (whole, shards))
    ]
    parts, before = sorted(shards.glob("model-*.safetensors")), (base_digest(shards), weights_sha256(shards))

    assert len(parts) > 1
    assert np.array_equal(*losses)
    assert weights_sha256(whole) != before[1]
    content = bytearray(parts[0].read_bytes())
    content[-1] ^= 1
    parts[0].write_bytes(content)
    assert base_digest(shards) != before[0]
    assert weights_sha256(shards) != before[1]
    parts[1].write_bytes(parts[1].read_bytes()[:-100])
    with pytest.raises(BaseModelError, match=r"^[^\n]*/model-00002-of-[^\n]*: damaged [^\n]*$"):
        prepare(dialogues, gpt2_config(shards), tmp_path / "scratch")
    parts[1].unlink()
    with pytest.raises(BaseModelError, match=rf"{parts[1].name}: missing"):
        prepare(dialogues, gpt2_config(shards), tmp_path / "scratch")


def test_a_beginning_of_text_stands_before_the_prompt(llama, tmp_path):
    """Where the tokenizer sets one by itself; a row that is cut keeps it and its last token."""
    from tokenizers import processors

    tokenizer = load_tokenizer(llama)
    assert beginning(tokenizer) == []
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    frame = pd.DataFrame(
        [{"row_id": "r", "slice": "s", "text": "the matrix of a vector", "target": "solve the matrix"}]
    )

    long, cut = (encode_causal(frame, tokenizer, RowFormat(most)) for most in (64, 12))

    assert [rows.tokens[0][0] for rows in (long, cut)] == [0, 0]
    assert len(cut.tokens[0]) == 12
    assert cut.tokens[0][1:] == long.tokens[0][-11:]
    assert [rows.targets[0][0] for rows in (long, cut)] == [-100, -100]


@pytest.mark.parametrize(
    ("name", "text"),
    [("bert", "draw [SEP] a [PAD] [CLS] line"), ("llama", "the </s> matrix <s>"), ("llama", "</s>")],
)
def test_special_tokens_in_rows_are_text(name, text, request):
    """Only the tokenizer sets control tokens: once at either end, or nowhere."""
    tokenizer = load_tokenizer(request.getfixturevalue(name))
    special = {tokenizer.convert_tokens_to_ids(token) for token in ("[SEP]", "[PAD]", "[CLS]", "</s>", "<s>")}

    plain = tokenizer(text, add_special_tokens=False)["input_ids"]

    assert plain
    assert not special & set(plain) - {tokenizer.unk_token_id}


def test_a_label_with_fewer_rows_than_folds(dataset, config, tmp_path):
    """Two rows make two folds, a single one no linear probe; the others stay."""

    def keeping(count: int):
        return lambda frame: pd.concat(
            [frame[frame["target"] != "algebra"], frame[frame["target"] == "algebra"].head(count)]
        )

    task = described_task({"task": "sequence-classification", "tag": "t", "labels": sorted(tiny.TOPICS)})
    for count, folds in ((5, 3), (2, 2), (1, None)):
        ready = prepare(dataset, config, tmp_path / str(count), alter=keeping(count))
        measured = task.baselines(ready.model, ready.train, ready.evaluation)
        assert (measured["linear_probe"] or {}).get("folds") == folds
        assert measured["majority"]["loss"] > 0
