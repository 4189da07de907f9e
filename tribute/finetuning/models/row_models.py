"""The two kinds of model that are fine-tuned, both reduced to one question: what is each row's loss?

Knows nothing of training loops or files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tribute.finetuning.encoding.encoding import IGNORED, Batch
from tribute.finetuning.models.base_models import load_causal, load_encoder
from tribute.finetuning.models.dropout import TokensInPass
from tribute.finetuning.models.embeddings import at_least_float32, encoder_embeddings, mean_pooled

LOGIT_SCALE = 20.0
"""Cosine similarities are multiplied by this before the softmax (CLIP, Radford et al. 2021)."""


class RowScores(NamedTuple):
    """Float [rows] each; a model of labels has no tokens."""

    losses: Tensor
    right: Tensor
    tokens: Tensor | None = None
    """Tokens that count in the row's loss, which is their mean."""
    tokens_right: Tensor | None = None


class RowModel(nn.Module):
    """A model that gives each row's loss in nats and whether its prediction is right."""

    network: Any
    head: Any
    """The labels' embeddings, [labels, width], of a model that has labels."""
    is_sharded = False
    """Whether each rank holds a part of the base: then all of them make every pass (see `sharding`)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens_in_pass = TokensInPass()

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return next(self.parameters()).device

    def row_losses(self, batch: Batch) -> Tensor:
        """Loss of each row in nats, float [rows]; the batch may lie on another device than the model.

        With LoRA's dropout where the batch is one of a training step: see `EncodedRows.collate`.
        """
        placed = self.placed(batch)
        with self.tokens_in_pass.of(placed.pop("dropout_keys", None)):
            return self.row_results(placed)[0]

    def row_results(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss of each row in nats and whether it is predicted right, float [rows] each."""
        raise NotImplementedError

    def row_scores(self, batch: Batch) -> "RowScores":
        """Loss of each row in nats and whether it is predicted right, with its tokens where it has several."""
        return RowScores(*self.row_results(batch))

    def embed(self, batch: Batch) -> Tensor:
        """Unit-length embeddings of the rows' texts, float [rows, width]; the batch may lie on another device."""
        raise NotImplementedError

    def log_probabilities(self, batch: Batch) -> Tensor:
        """Of the classes, [rows, classes], or of each next token, [rows, tokens, vocabulary]."""
        raise NotImplementedError

    def placed(self, batch: Batch) -> Batch:
        """The batch on the model's device."""
        return {name: value.to(self.device) for name, value in batch.items()}

    def trainable(self) -> dict[str, nn.Parameter]:
        """The LoRA parameters and those of `modules_to_save` by name, in a fixed order."""
        return {name: value for name, value in sorted(self.named_parameters()) if value.requires_grad}


class SentenceClassifier(RowModel):
    """Mean pooling, L2 norm and a frozen head made of the label names' own embeddings.

    With the head frozen only LoRA learns, so its gradients cover everything that was learned.
    """

    head: Tensor

    def __init__(self, network: Any, head: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("head", head)

    def embed(self, batch: Batch) -> Tensor:
        """See RowModel: the encoder's own."""
        return encoder_embeddings(self.network, self.placed(batch))

    def log_probabilities(self, batch: Batch) -> Tensor:
        """See RowModel."""
        return self._logits(batch).log_softmax(-1)

    def _logits(self, batch: Batch) -> Tensor:
        embedded = self.embed(batch)
        return LOGIT_SCALE * embedded @ self.head.T.to(embedded.dtype)

    def row_results(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See RowModel."""
        logits = self._logits(batch)
        losses = functional.cross_entropy(logits, batch["labels"], reduction="none")
        return losses, (logits.argmax(-1) == batch["labels"]).float()


class ResponseModel(RowModel):
    """A causal language model; a row's loss is the mean over its response's tokens."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def embed(self, batch: Batch) -> Tensor:
        """See RowModel: the mean of the input tokens' vectors, or of what the cached lower layers made of them."""
        placed = self.placed(batch)
        known = placed.get("inputs_embeds")
        vectors = self.network.get_input_embeddings()(placed["input_ids"]) if known is None else known
        return mean_pooled(at_least_float32(vectors), placed["attention_mask"])

    def log_probabilities(self, batch: Batch) -> Tensor:
        """See RowModel."""
        return self._logits(self.placed(batch)).log_softmax(-1)

    def _logits(self, batch: Batch) -> Tensor:
        inputs = {name: value for name, value in batch.items() if name not in ("labels", "row")}
        # With a cache transformers would take the positions of a pack for those of one row.
        cache = {"use_cache": False} if "row" in batch else {}
        logits: Tensor = self.network(**inputs, **cache).logits
        return at_least_float32(logits)

    def row_results(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See RowModel; a row is right when every response token is the most probable one."""
        scores = self.row_scores(batch)
        return scores.losses, scores.right

    def row_scores(self, batch: Batch) -> RowScores:
        """See RowModel; the batch may be a pack."""
        logits = self._logits(batch)
        labels = batch["labels"][:, 1:]
        counted = labels != IGNORED
        losses = functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), labels, reduction="none", ignore_index=IGNORED
        )
        hits = (logits[:, :-1].argmax(-1) == labels) & counted
        losses, tokens, right = (_by_row(values.to(losses.dtype), batch) for values in (losses, counted, hits))
        return RowScores(losses / tokens, (right == tokens).float(), tokens, right)


def _by_row(values: Tensor, batch: Batch) -> Tensor:
    """Sums of values [rows, tokens − 1], of all tokens but each row's first, over every row."""
    if "row" not in batch:
        return values.sum(1)
    row = batch["row"][0]
    return values.new_zeros(int(row[-1]) + 1).index_add(0, row[1:], values[0])


def build_classifier(
    base: Path, tokenizer: Any, labels: Sequence[str], precision: str = "float32"
) -> SentenceClassifier:
    """The zero-shot classifier: the head is the labels' own embeddings, [labels, width]."""
    encoder = load_encoder(base, precision)
    model = SentenceClassifier(encoder, torch.zeros(len(labels), encoder.config.hidden_size))
    batch = tokenizer(list(labels), padding=True, return_tensors="pt")
    with torch.no_grad():
        model.head = model.embed({"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]})
    return model


def build_causal(base: Path, precision: str = "float32") -> ResponseModel:
    """The causal model as it stands before fine-tuning."""
    return ResponseModel(load_causal(base, precision))
