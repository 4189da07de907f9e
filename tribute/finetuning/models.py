"""The two kinds of model that are fine-tuned, both reduced to one question: what is each row's loss?

Knows nothing of training loops or files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from tribute.config import LoraConfig
from tribute.errors import TrainingError
from tribute.finetuning.base_models import load_causal, load_encoder
from tribute.finetuning.embeddings import at_least_float32, encoder_embeddings, mean_pooled
from tribute.finetuning.encoding import IGNORED, Batch, EncodedRows

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

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return next(self.parameters()).device

    def row_losses(self, batch: Batch) -> Tensor:
        """Loss of each row in nats, float [rows]; the batch may lie on another device than the model."""
        return self.row_results(self.placed(batch))[0]

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
        """See RowModel: the mean of the input tokens' vectors."""
        placed = self.placed(batch)
        vectors = at_least_float32(self.network.get_input_embeddings()(placed["input_ids"]))
        return mean_pooled(vectors, placed["attention_mask"])

    def log_probabilities(self, batch: Batch) -> Tensor:
        """See RowModel."""
        return self._logits(self.placed(batch)).log_softmax(-1)

    def _logits(self, batch: Batch) -> Tensor:
        logits: Tensor = self.network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return at_least_float32(logits)

    def row_results(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See RowModel; a row is right when every response token is the most probable one."""
        scores = self.row_scores(batch)
        return scores.losses, scores.right

    def row_scores(self, batch: Batch) -> RowScores:
        """See RowModel."""
        logits = self._logits(batch)
        labels = batch["labels"][:, 1:]
        counted = labels != IGNORED
        losses = functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), labels, reduction="none", ignore_index=IGNORED
        )
        tokens, right = counted.sum(1), ((logits[:, :-1].argmax(-1) == labels) & counted).sum(1)
        return RowScores(losses.sum(1) / tokens, (right == tokens).float(), tokens.float(), right.float())


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


def add_lora(model: RowModel, lora: LoraConfig, seed: int) -> None:
    """Put fresh adapters into the network: A random from `seed`, B zero (Hu et al. 2021).

    A module to save is copied and the copy trained, also where its weight is tied to another's, which stays frozen.
    Raises TrainingError where target modules or modules to save do not exist.
    """
    import peft

    _check_modules(model, "modules_to_save", lora.modules_to_save, (nn.Linear, nn.Embedding))
    targets = _linear_layers(model) if lora.target_modules == "all-linear" else lora.target_modules
    kinds = _check_modules(model, "target_modules", targets, (nn.Linear, Conv1D))
    if unknown := sorted(set(lora.alpha_pattern) - set(targets)):
        raise TrainingError(f"finetuning.lora.alpha_pattern: {unknown[0]} is none of {', '.join(targets)}")
    depth = getattr(model.network.config, "num_hidden_layers", None)
    if lora.layers and depth is not None and max(lora.layers) >= depth:
        raise TrainingError(f"finetuning.lora.layers: the base has layers 0 to {depth - 1}, found {max(lora.layers)}")
    torch.manual_seed(seed)
    settings = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        target_modules=list(targets),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        lora_dropout=0.0,
        use_rslora=lora.rslora,
        alpha_pattern=dict(lora.alpha_pattern),
        bias="none",
        # GPT-2 keeps its weights the other way round.
        fan_in_fan_out=Conv1D in kinds,
        modules_to_save=list(lora.modules_to_save) or None,
    )
    try:
        model.network = peft.get_peft_model(model.network, settings)
    except ValueError as error:
        raise TrainingError(f"finetuning.lora: {error}") from error


def _linear_layers(model: RowModel) -> Sequence[str]:
    """The names of all linear layers but the output head's."""
    head = model.network.get_output_embeddings()
    layers = (path for path, module in model.network.named_modules() if _is_linear(module) and module is not head)
    return sorted({path.rpartition(".")[2] for path in layers})


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | Conv1D)


def _check_modules(
    model: RowModel, key: str, names: Sequence[str], kinds: tuple[type[nn.Module], ...]
) -> set[type[nn.Module]]:
    """Every name stands for modules that attribution can follow; returns their types. Raises TrainingError."""
    modules = dict(model.network.named_modules())
    matched: set[type[nn.Module]] = set()
    for name in names:
        named = [module for path, module in modules.items() if path == name or path.endswith(f".{name}")]
        if not named or not all(isinstance(module, kinds) for module in named):
            known = sorted({path.rpartition(".")[2] for path, module in modules.items() if isinstance(module, kinds)})
            what = f"{name} is a {type(named[0]).__name__}" if named else f"the base has no module {name}"
            raise TrainingError(f"finetuning.lora.{key}: {what}; attribution follows {', '.join(known)}")
        matched |= {type(module) for module in named}
    return matched


def load_adapter(model: RowModel, folder: Path) -> None:
    """Put a saved adapter into a fresh base."""
    import peft

    model.network = peft.PeftModel.from_pretrained(model.network, folder)


def cache_lower_layers(model: RowModel, lora: LoraConfig, *rows: EncodedRows) -> list[EncodedRows]:
    """Compute the layers below the lowest adapted one once, then let the network start above them.

    They are frozen, so their output never changes. Only encoders of BERT's shape are cut; others, networks
    adapted in layer 0, and those with modules to save, which may lie anywhere, are left as they are. Call before
    `add_lora`.
    """
    lowest = min(lora.layers) if lora.layers and not lora.modules_to_save else 0
    encoder: Any = getattr(model.network, "encoder", None)
    if lowest == 0 or not hasattr(encoder, "layer"):
        return list(rows)
    upper = list(encoder.layer[lowest:])
    for index in range(lowest, lowest + len(upper)):
        encoder.layer[index] = PassThrough()

    def lower_states(batch: Batch) -> Tensor:
        states: Tensor = model.network(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state
        return states

    cached = [part.with_hidden(lower_states) for part in rows]
    for index, layer in enumerate(upper, start=lowest):
        encoder.layer[index] = layer
    for index in range(lowest):
        encoder.layer[index] = PassThrough()
    model.network.embeddings = PassThrough()
    return cached


class PassThrough(nn.Module):
    """Stands where a layer was computed already, so that the layers above keep their names."""

    def forward(self, hidden: Tensor | None = None, *_: Any, **inputs: Any) -> Tensor:
        """The hidden states, unchanged."""
        states: Tensor = inputs["inputs_embeds"] if hidden is None else hidden
        return states
