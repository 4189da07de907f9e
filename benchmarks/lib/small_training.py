"""What the benchmark of trainings trains: a small Llama with random weights, on random rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lib.llama import HEADS, LINEAR, SIZES, causal_rows
from tribute.config import FinetuningConfig, LoraConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.row_models import ResponseModel

ADAPTERS = {"r": 8, "alpha": 16}


def settings(**changes: Any) -> FinetuningConfig:
    """Of a training on random rows."""
    base = {"base": {"package": "none"}, "seeds": [0], "batch_size": 8, "learning_rate": 1e-3}
    return FinetuningConfig.model_validate(base | changes)


def model_of(lora: Mapping[str, Any]) -> ResponseModel:
    """A small Llama with fresh adapters on all linear layers."""
    heads, groups = HEADS["small"]
    config = LlamaConfig(**SIZES["small"], num_attention_heads=heads, num_key_value_heads=groups)
    torch.manual_seed(0)
    model = ResponseModel(LlamaForCausalLM(config).requires_grad_(False).eval())
    add_lora(model, LoraConfig(**{"target_modules": LINEAR} | lora), 0)
    return model


def rows_of(count: int, tokens: int) -> EncodedRows:
    """Random rows of one length."""
    return causal_rows(torch.randint(4096, (count, tokens), generator=torch.Generator().manual_seed(0)).tolist())


def rows_for(jsonl: Path | None, count: int) -> EncodedRows:
    """Random tokens in rows of a file's lengths, or of 20 to 300 tokens."""
    chance = np.random.Generator(np.random.Philox(0))
    lengths = chance.integers(20, 300, count) if jsonl is None else lengths_of(jsonl, count)
    return causal_rows([chance.integers(4096, size=length).tolist() for length in lengths])


def where(jsonl: Path | None) -> str:
    """How long the rows of `rows_for` are."""
    return f"lengths of {jsonl.stem}" if jsonl else "20 to 300 tokens"


def lengths_of(jsonl: Path, count: int) -> list[int]:
    """Tokens of each of the first rows, at four characters a token."""
    records = [json.loads(line) for line in jsonl.read_text(encoding="utf-8").splitlines()[:count]]
    return [max(8, (len(record["prompt"]) + len(record["response"])) // 4) for record in records]
