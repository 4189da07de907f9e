"""How large a base is and how much of it is trained, from its config alone: no weights are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.config import FinetuningConfig
from tribute.finetuning.preparation.task_types import TaskType


@dataclass(frozen=True)
class Shape:
    """A base with its adapters."""

    parameters: int
    trained: int
    embedding: int
    """Parameters that are looked up and not multiplied with."""
    layers: int
    computed: int
    """Layers that a training computes: the others' output is cached."""
    width: int
    inner: int
    """Width between the two halves of a layer's second part."""
    vocabulary: int
    """Of the output head; 0 where there is none."""

    @property
    def multiplied(self) -> float:
        """Parameters that a training multiplies each token with, the head's included, the adapters' too."""
        body = (self.parameters - self.embedding) * self.computed / self.layers
        return body + self.vocabulary * self.width + self.trained

    @property
    def below(self) -> float:
        """Parameters of the layers whose output is cached."""
        return (self.parameters - self.embedding) * (1 - self.computed / self.layers)

    def forward(self, tokens: float, length: float) -> float:
        """FLOP of a forward pass: two for each parameter and token, and attention over rows of `length` tokens."""
        return tokens * (2 * self.multiplied + 4 * self.computed * self.width * length)

    def training(self, tokens: float, length: float) -> float:
        """FLOP of forward and backward: frozen weights have no gradient of their own, only the adapters do."""
        return 2 * self.forward(tokens, length) + 2 * tokens * self.trained


def shape_of(folder: Path, config: FinetuningConfig, task: TaskType) -> Shape:
    """The shape of the base in `folder` with the config's adapters; `folder` needs config.json alone."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM

    from tribute.finetuning.models.base_models import load_config
    from tribute.finetuning.models.lora import add_lora
    from tribute.finetuning.models.lower_layers import layer_stack
    from tribute.finetuning.models.row_models import ResponseModel

    about = load_config(folder)
    text = about.get_text_config()
    with torch.device("meta"):
        unpooled = {"add_pooling_layer": False} if task.reads_ahead and about.model_type == "bert" else {}
        factory = AutoModel if task.reads_ahead else AutoModelForCausalLM
        network: Any = factory.from_config(about, **unpooled)
        network.requires_grad_(False)
        vectors = network.get_input_embeddings().weight
        tied = bool(getattr(text, "tie_word_embeddings", False)) or task.reads_ahead
        can_be_cut = layer_stack(network) is not None
        parameters = sum(value.numel() for value in network.parameters())
        model = ResponseModel(network)
        add_lora(model, config.lora, config.seeds[0])
        trained = sum(value.numel() for value in model.trainable().values())
    lowest = min(config.lora.layers) if config.lora.layers and not config.lora.modules_to_save else 0
    return Shape(
        parameters=parameters,
        trained=trained,
        embedding=vectors.numel() if tied else 2 * vectors.numel(),
        layers=text.num_hidden_layers,
        computed=text.num_hidden_layers - (lowest if can_be_cut else 0),
        width=text.hidden_size,
        inner=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        vocabulary=0 if task.reads_ahead else vectors.shape[0],
    )
