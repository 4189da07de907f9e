"""Every row's own gradient, formed where autograd would have summed over rows anyway.

A linear layer's weight gradient is a sum over rows of gradᵀ·input. `RowLinear` forms the terms with one
batched product of the same cost, hands them to a collector and returns their sum as the batch gradient. So
the invariant "the rows' gradients sum to the batch gradient" holds by construction, and any loss will do,
as long as the first dimension of every layer's input is the row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tribute.errors import AttributionError
from tribute.finetuning.models import RowModel


class RowGradients:
    """Collects the gradients of one backward pass, by parameter name."""

    def __init__(self, layout: Sequence[str]) -> None:
        self.layout = layout
        self._parts: dict[str, Tensor] = {}
        # Tens of MB a chunk: asking the system for fresh pages each time costs as much as the products.
        self._buffer = torch.empty(0, 0)

    def add(self, name: str, gradients: Tensor) -> None:
        """Keep [rows, *shape]; a layer used twice in a forward pass adds up."""
        kept = self._parts.get(name)
        self._parts[name] = gradients if kept is None else kept + gradients

    def take(self) -> Tensor:
        """The rows' gradients as float32 [rows, parameters] in layout order; starts anew.

        The tensor is written over by the next call.
        """
        parts, self._parts = self._parts, {}
        missing = [name for name in self.layout if name not in parts]
        if missing:
            raise AttributionError(
                f"the loss does not depend on {missing[0]}; adapt only layers that it passes through"
            )
        ordered = [parts[name].flatten(1) for name in self.layout]
        rows, width = len(ordered[0]), sum(part.shape[1] for part in ordered)
        if len(self._buffer) < rows:
            self._buffer = ordered[0].new_empty(rows, width)
        return torch.cat(ordered, dim=1, out=self._buffer[:rows])


class RowLinear(torch.autograd.Function):
    """x·Wᵀ for x [rows, ..., inputs]; its backward gives the collector each row's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, name: str, collector: RowGradients) -> Tensor:
        """The linear map; see torch.autograd.Function."""
        ctx.save_for_backward(x, weight)
        ctx.name, ctx.collector = name, collector
        return x @ weight.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        """Gradients of the loss by x and weight; the rows' terms go to the collector, in fp32."""
        x, weight = ctx.saved_tensors
        rows = len(x)
        per_row = torch.bmm(
            gradient.reshape(rows, -1, gradient.shape[-1]).transpose(1, 2).float(),
            x.reshape(rows, -1, x.shape[-1]).float(),
        )
        ctx.collector.add(ctx.name, per_row)
        # The lowest adapted layer's input is cached: nobody below asks for its gradient.
        below = gradient @ weight if ctx.needs_input_grad[0] else None
        return below, per_row.sum(0).to(weight.dtype), None, None


@contextmanager
def capture(model: RowModel) -> Iterator[RowGradients]:
    """While open, a backward pass through `model` fills the collector it yields.

    Raises AttributionError where something other than a linear layer without bias is trained.
    """
    trainable = model.trainable()
    collector = RowGradients(list(trainable))
    layers = {name: _layer(model, name, weight) for name, weight in trainable.items()}
    try:
        for name, layer in layers.items():
            layer.forward = _captured(layer, name, collector)  # type: ignore[method-assign]
        yield collector
    finally:
        for layer in layers.values():
            del layer.forward


def row_gradients(model: RowModel, collector: RowGradients, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Each row's loss [rows] and gradient [rows, parameters] at the model's present parameters.

    The gradients are written over by the next call.
    """
    losses = model.row_losses(dict(batch))
    # Weights already have their gradient in the collector: ask autograd for no more than the walk through the layers.
    torch.autograd.grad(losses.sum(), list(model.trainable().values()))
    return losses.detach(), collector.take()


def _layer(model: RowModel, name: str, weight: nn.Parameter) -> nn.Linear:
    layer = model.get_submodule(name.rpartition(".")[0])
    if not isinstance(layer, nn.Linear) or layer.weight is not weight or layer.bias is not None:
        raise AttributionError(
            f"{name} is trained in a {type(layer).__name__}; attribution supports linear layers without bias: "
            "change finetuning.lora.target_modules"
        )
    return layer


def _captured(layer: nn.Linear, name: str, collector: RowGradients) -> Any:
    return lambda x: RowLinear.apply(x, layer.weight, name, collector)  # type: ignore[no-untyped-call]
