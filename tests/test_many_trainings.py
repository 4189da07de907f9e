"""Theorem: many trainings made at once give what the product's training gives for each of them."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from tribute.config import BaseConfig, FinetuningConfig, LoraConfig
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import ResponseModel, RowModel, SentenceClassifier
from tribute.finetuning.training.training import train

SHAPE = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 32, "tie_word_embeddings": True, "bos_token_id": None,
}  # fmt: skip
LABELS = 5


def _causal() -> RowModel:
    torch.manual_seed(0)
    return ResponseModel(LlamaForCausalLM(LlamaConfig(**SHAPE)).requires_grad_(False).eval())


def _classifier() -> RowModel:
    torch.manual_seed(0)
    settings = BertConfig(**SHAPE | {"bos_token_id": 1}, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    network = BertModel(settings, add_pooling_layer=False).requires_grad_(False).eval()
    return SentenceClassifier(network, torch.nn.functional.normalize(torch.randn(LABELS, SHAPE["hidden_size"]), dim=1))


@pytest.mark.parametrize(
    ("whole", "modules"),
    [(_causal, ("q_proj", "v_proj", "up_proj", "down_proj")), (_classifier, ("query", "key", "value", "dense"))],
    ids=["causal", "classifier"],
)
def test_each_of_many_trainings_is_the_product_s(
    whole: Callable[[], RowModel], modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """Subsets of different sizes and seeds, also without a row in some steps, or in all of them."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    from lib.many_trainings import ManyTrainings

    config = FinetuningConfig(
        base=BaseConfig(package="none"),
        lora=LoraConfig(r=4, alpha=8, target_modules=modules, layers=(1, 2)),
        epochs=2,
        batch_size=5,
        learning_rate=2e-2,
    )
    is_causal = whole is _causal
    train_rows, tests = cache_lower_layers(whole(), config.lora, _rows(22, 1, is_causal), _rows(7, 2, is_causal))
    kept = np.random.default_rng(3).random((5, 22)) < np.array([0, 0.1, 0.4, 0.8, 1])[:, None]
    seeds = [0, 1, 0, 1, 2]

    def base() -> RowModel:
        model = whole()
        cache_lower_layers(model, config.lora)
        return model

    losses = ManyTrainings(base, config).losses(train_rows, kept, seeds, tests)

    expected = [_trained(base(), config, train_rows, tests, rows, seed) for rows, seed in zip(kept, seeds, strict=True)]
    assert np.allclose(losses, expected, rtol=0, atol=1e-5)
    assert np.ptp(losses.mean(1)) > 0.01, "they learned different things"


def _trained(
    model: RowModel, config: FinetuningConfig, train_rows: EncodedRows, tests: EncodedRows, kept: np.ndarray, seed: int
) -> np.ndarray:
    add_lora(model, config.lora, seed)
    if kept.any():
        with tempfile.TemporaryDirectory() as scratch:
            dropped = frozenset(np.flatnonzero(~kept).tolist())
            train(model, train_rows, config, seed, Path(scratch), dropped=dropped, recorded=False)
    return evaluate(model, tests).losses


def _rows(count: int, number: int, is_causal: bool) -> EncodedRows:
    chance = np.random.default_rng(number)
    tokens = [chance.integers(SHAPE["vocab_size"], size=chance.integers(5, 11)).tolist() for _ in range(count)]
    rows = EncodedRows([f"{number}:{row}" for row in range(count)], [""] * count, tokens, [], 0)
    if is_causal:
        return replace(rows, targets=[[IGNORED] * 3 + row[3:] for row in tokens])
    return replace(rows, targets=[row[0] % LABELS for row in tokens])
