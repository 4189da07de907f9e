"""Causal models of Llama's architecture with random weights: how fast they run does not depend on what they know."""

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lib.timing import handed_on, measure, plain
from tribute.attribution.gradients.capture import capture
from tribute.config import LoraConfig
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.row_models import ResponseModel

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SIZES: dict[str, dict[str, Any]] = {
    "small": {"vocab_size": 4096, "hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 1024},
    "1b": {"vocab_size": 128256, "hidden_size": 2048, "num_hidden_layers": 16, "intermediate_size": 8192},
    "8b": {"vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 14336},
}
HEADS = {"small": (4, 4), "1b": (32, 8), "8b": (32, 8)}
PEAK = 989e12
"""Dense bfloat16 operations a second of an H100 SXM, by its data sheet."""


def llama(size: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> ResponseModel:
    """A frozen Llama with LoRA in float32 on all linear layers, B off zero so that every weight has a gradient."""
    heads, groups = HEADS[size]
    config = LlamaConfig(**SIZES[size], num_attention_heads=heads, num_key_value_heads=groups, use_cache=False)
    torch.manual_seed(0)
    with torch.device(device):
        model = ResponseModel(LlamaForCausalLM._from_config(config, dtype=dtype).requires_grad_(False).eval())
    add_lora(model, LoraConfig(r=8 if size == "small" else 16, alpha=16, target_modules=LINEAR), 0)
    with torch.no_grad():
        for value in model.trainable().values():
            value.add_(0.02 * torch.randn_like(value))
    return model


def causal_rows(tokens: Sequence[Sequence[int]], prompts: Sequence[int] | None = None) -> EncodedRows:
    """Rows of these lengths, any ids taken into the small vocabulary; the first `prompts` tokens do not count."""
    ids = [[token % SIZES["small"]["vocab_size"] for token in row] for row in tokens]
    cuts = [len(row) // 2 for row in ids] if prompts is None else prompts
    targets = [[IGNORED] * cut + row[cut:] for cut, row in zip(cuts, ids, strict=True)]
    names = [f"row:{number}" for number in range(len(ids))]
    return EncodedRows(names, ["all"] * len(ids), ids, targets, 0)


def read_rows(file: Path, tokenizer: Any, most: int) -> EncodedRows:
    """The first rows of a JSONL file with a prompt and a response a line."""
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[:most]]
    parts = [
        tokenizer([record[key] for record in records], add_special_tokens=False)["input_ids"]
        for key in ("prompt", "response")
    ]
    return causal_rows(
        [[*prompt, *response] for prompt, response in zip(*parts, strict=True)], list(map(len, parts[0]))
    )


def gpu_table(size: str, device: str = "cuda", tokens: int = 1024, budget: int = 16384) -> list[str]:
    """Tokens a second and the part of the processor's peak that the model's own operations make up."""
    model = llama(size, device, torch.bfloat16)
    rows = causal_rows(torch.randint(0, 4096, (64, tokens)).tolist())
    chunks = list(rows.chunks(range(len(rows)), budget))
    trained = sum(value.numel() for value in model.trainable().values())
    frozen = (
        sum(value.numel() for value in model.parameters())
        - trained
        - SIZES[size]["vocab_size"] * SIZES[size]["hidden_size"]
    )
    # Forward and the way back through what is frozen, two operations a weight each; what is trained has one more.
    operations = len(rows) * tokens * (4 * frozen + 6 * trained)

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    variants = {
        "forward and backward": (nullcontext, lambda _, chunks: plain(model, rows, chunks)),
        "the same, every row's gradients": (partial(capture, model), partial(handed_on, model, rows)),
    }
    timed = measure(variants, [chunks] * 5, clock)
    best = {name: min(times) for name, times in timed.items()}
    return [
        f"Llama {size}, bfloat16, LoRA r=16, {tokens} tokens a row, {torch.cuda.get_device_name()}, "
        f"torch {torch.__version__}",
        "",
        "| what | tokens/s | model FLOPs utilisation |",
        "|---|---|---|",
        *(
            f"| {name} | {len(rows) * tokens / seconds:,.0f} | {operations / seconds / PEAK:.0%} |"
            for name, seconds in best.items()
        ),
    ]
