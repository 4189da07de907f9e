"""The frozen layers below the lowest adapted one: computed once, then passed through."""

from typing import Any

from torch import Tensor, nn

from tribute.config import LoraConfig
from tribute.finetuning.encoding.encoding import Batch, EncodedRows
from tribute.finetuning.models.row_models import RowModel


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
