"""Sentence embeddings by mean pooling and L2 norm: of dataset rows or, for screening by meaning, of any texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tribute.config import BaseConfig
from tribute.finetuning.encoding.encoding import Batch, EncodedRows
from tribute.finetuning.models.base_models import base_folder, load_encoder, load_tokenizer

TOKENS = 64
"""Longer texts are cut here before they are compared by meaning."""


def mean_pooled(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Unit-length means of hidden states [rows, tokens, width] over the tokens that are no padding, [rows, width]."""
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def at_least_float32(tensor: Tensor) -> Tensor:
    """What a base of half precision gives, in single precision: a loss is a sum over many small numbers."""
    return tensor.float() if tensor.dtype.itemsize < torch.float32.itemsize else tensor


def encoder_embeddings(network: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Unit-length sentence embeddings by an encoder, float [rows, width]."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    return mean_pooled(at_least_float32(network(**inputs).last_hidden_state), batch["attention_mask"])


def embed_rows(embed: Callable[[Batch], Tensor], rows: EncodedRows) -> Tensor:
    """`embed(batch)` [chunk, width] of every row, without gradients, float32 [rows, width] on the CPU."""
    embedded: list[Tensor] = [torch.empty(0)] * len(rows)
    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            for index, vector in zip(chunk, embed(rows.collate(chunk)).float().cpu(), strict=True):
                embedded[index] = vector
    return torch.stack(embedded) if embedded else torch.zeros(0, 1)


def sentence_encoder(base: BaseConfig) -> Callable[[Sequence[str]], np.ndarray]:
    """Texts → unit-length embeddings by the base that a run would learn on, float32 [texts, width]."""
    folder = base_folder(base)
    tokenizer, network = load_tokenizer(folder), load_encoder(folder)

    def encode(texts: Sequence[str]) -> np.ndarray:
        tokens = tokenizer(list(texts), truncation=True, max_length=TOKENS)["input_ids"] if texts else []
        nobody = [""] * len(texts)
        rows = EncodedRows(nobody, nobody, tokens, [0] * len(texts), tokenizer.pad_token_id)
        return np.asarray(embed_rows(lambda batch: encoder_embeddings(network, batch), rows).numpy())

    return encode
