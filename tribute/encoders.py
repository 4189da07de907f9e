"""Sentence embeddings for screening by meaning, from the base model that a run would learn on.

Sits above the columns: contributions knows no model, so its checks get an encoder as an argument.
"""

from collections.abc import Sequence
from typing import Any

from tribute.config import BaseConfig
from tribute.finetuning.bases import base_folder, load_encoder, load_tokenizer

BATCH = 64
TOKENS = 64


def sentence_encoder(base: BaseConfig) -> Any:
    """Texts → mean-pooled, L2-normalised embeddings, float32 of shape (texts, width)."""
    import numpy as np
    import torch

    folder = base_folder(base)
    tokenizer, network = load_tokenizer(folder), load_encoder(folder)

    def encode(texts: Sequence[str]) -> Any:
        parts = []
        # Of like length, so that little is padding.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                chosen = [texts[place] for place in order[start : start + BATCH]]
                batch = tokenizer(chosen, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
                hidden, mask = network(**batch).last_hidden_state, batch["attention_mask"][:, :, None]
                pooled = (hidden * mask).sum(1) / mask.sum(1)
                parts.append(torch.nn.functional.normalize(pooled, dim=-1).numpy())
        vectors = np.concatenate(parts) if parts else np.zeros((0, 1), dtype=np.float32)
        back = np.empty(len(texts), dtype=np.int64)
        back[order] = np.arange(len(texts))
        return vectors[back]

    return encode
