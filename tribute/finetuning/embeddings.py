"""Sentence embeddings for screening by meaning, from the base model that a run would learn on.

Sits above the columns: contributions knows no model, so its checks get an encoder as an argument.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tribute.config import BaseConfig
from tribute.finetuning.base_models import base_folder, load_encoder, load_tokenizer
from tribute.finetuning.encoding import EncodedRows
from tribute.finetuning.models import RowModel, SentenceClassifier

BATCH = 64
TOKENS = 64


def sentence_encoder(base: BaseConfig) -> Any:
    """Texts → mean-pooled, L2-normalised embeddings, float32 of shape (texts, width)."""
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


def embeddings(model: RowModel, rows: EncodedRows) -> Tensor:
    """Unit-length embeddings, float32 [rows, width]: the classifier's own, or the mean of a causal model's input's."""
    found = torch.zeros(0)
    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            batch = {name: value.to(model.device) for name, value in rows.collate(chunk).items()}
            if isinstance(model, SentenceClassifier):
                own = model.embed(batch)
            else:
                words = model.network.get_input_embeddings()(batch["input_ids"])
                own = functional.normalize((words * batch["attention_mask"].unsqueeze(-1)).sum(1), dim=-1)
            if not len(found):
                found = torch.zeros(len(rows), own.shape[1])
            found[list(chunk)] = own.float().cpu()
    return found
