"""The frozen layers below the lowest adapted one: computed once, then passed through."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tribute.config import LoraConfig
from tribute.finetuning.encoding.encoding import Batch, EncodedRows
from tribute.finetuning.models.row_models import RowModel

CLOSE = 1e-3
"""How far a row's loss may be from the whole network's, nats: beyond it a network does more than pass its layers on."""


class LayerStack(NamedTuple):
    """Where a network's layers lie: the module that runs them, and the names of what stands below and above them."""

    network: Any
    layers: Any
    below: str
    above: str


def cache_lower_layers(model: RowModel, lora: LoraConfig, *rows: EncodedRows) -> list[EncodedRows]:
    """Compute the layers below the lowest adapted one once, then let the network start above them.

    They are frozen, so their output never changes. Encoders of BERT's shape are cut and decoders of Llama's; others,
    networks adapted in layer 0, and those with modules to save, which may lie anywhere, are left as they are. Call
    before `add_lora`.
    """
    lowest = min(lora.layers) if lora.layers and not lora.modules_to_save else 0
    stack = layer_stack(model.network)
    if lowest == 0 or stack is None or lowest >= len(stack.layers):
        return list(rows)
    expected = _losses(model, rows)
    cached = [part.with_hidden(lambda batch: _lower_states(stack, lowest, batch)) for part in rows]
    below = [*stack.layers[:lowest]]
    for index in range(lowest):
        stack.layers[index] = PassThrough()
    bottom = getattr(stack.network, stack.below)
    if not stack.above:
        setattr(stack.network, stack.below, PassThrough())
    if not torch.allclose(_losses(model, cached), expected, rtol=0, atol=CLOSE):
        setattr(stack.network, stack.below, bottom)
        for index, layer in enumerate(below):
            stack.layers[index] = layer
        return list(rows)
    return cached


def layer_stack(network: Any) -> LayerStack | None:
    """Where the layers lie of a network that can start above some of them; None of any other."""
    encoder: Any = getattr(network, "encoder", None)
    if hasattr(encoder, "layer"):
        return LayerStack(network, encoder.layer, "embeddings", "")
    decoder: Any = getattr(network, "model", None)
    if all(hasattr(decoder, name) for name in ("layers", "embed_tokens", "norm", "rotary_emb")):
        return LayerStack(decoder, decoder.layers, "embed_tokens", "norm")
    return None


def _lower_states(stack: LayerStack, lowest: int, batch: Batch) -> Tensor:
    """The output of the layers below `lowest`, [rows, tokens, width]."""
    upper = {index: stack.layers[index] for index in range(lowest, len(stack.layers))}
    norm = getattr(stack.network, stack.above) if stack.above else None
    for index in upper:
        stack.layers[index] = PassThrough()
    if stack.above:
        setattr(stack.network, stack.above, PassThrough())
    try:
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        states: Tensor = stack.network(**inputs).last_hidden_state
    finally:
        for index, layer in upper.items():
            stack.layers[index] = layer
        if stack.above:
            setattr(stack.network, stack.above, norm)
    return states


def _losses(model: RowModel, parts: Sequence[EncodedRows]) -> Tensor:
    """Of the first rows, nats; empty where there are none."""
    if not parts or not len(parts[0]):
        return torch.zeros(0)
    with torch.no_grad():
        return model.row_losses(parts[0].collate(range(min(2, len(parts[0])))))


class PassThrough(nn.Module):
    """Stands where a layer was computed already, so that the layers above keep their names."""

    def forward(self, hidden: Tensor | None = None, *_: Any, **inputs: Any) -> Tensor:
        """The hidden states, unchanged."""
        states: Tensor = inputs["inputs_embeds"] if hidden is None else hidden
        return states
