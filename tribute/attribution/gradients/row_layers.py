"""Stand-ins for the layers that are trained: the same outputs, and each row's gradient on the way back.

A weight's gradient is a sum over rows. The functions here form its terms, hand them on while they are still in
the processor's cache, and return their sum to autograd. Terms and sums are float32 whatever the weights are.
"""

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tribute.errors import AttributionError

FLOATS_AT_ONCE = 1 << 24
"""Gradients of a layer formed at once: 64 MB, or one row's where that is more (an embedding)."""
Receive = Callable[[str, slice, Tensor], None]
"""Takes a parameter's name, which rows, and their gradients, float32 [rows, *shape].

A parameter that is used twice in a forward pass comes twice, and its gradients add up.
"""


class Capture:
    """What the layers of an open capture share; `capture` makes one."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self.parameters = parameters
        ends = list(accumulate(value.numel() for value in parameters.values()))
        self.width = ends[-1]
        self.places = {name: slice(start, end) for name, start, end in zip(parameters, [0, *ends], ends, strict=False)}
        """Where each parameter lies in a flat vector [parameters]."""
        # Tens of MB a chunk: asking the system for fresh pages each time costs as much as the products.
        self.buffer = torch.empty(0, 0)
        self.checked = False
        self.rows = 0
        self.receive: Receive = _nobody

    def form(self, name: str, rows: int, terms: Callable[[slice], Tensor]) -> Tensor:
        """Hand on `terms(part)`, the gradients of a part of the rows, until all had their turn; gives their sum."""
        if rows != self.rows:
            raise AttributionError(
                f"{name} sees {rows} rows where the batch has {self.rows}, so nobody can tell whose gradient is whose; "
                "take it out of finetuning.lora"
            )
        weight = self.parameters[name]
        size = max(1, FLOATS_AT_ONCE // weight.numel())
        sums = []
        for start in range(0, rows, size):
            part = slice(start, min(start + size, rows))
            gradients = terms(part)
            self.receive(name, part, gradients)
            sums.append(gradients.sum(0))
        return sum(sums[1:], sums[0]).to(weight.dtype)

    def form_product(self, name: str, outputs: Tensor, inputs: Tensor) -> Tensor:
        """`form` for a weight with inputs [rows, ..., in] and the loss's gradient by its outputs [rows, ..., out]."""
        rows = len(inputs)
        above, below = outputs.reshape(rows, -1, outputs.shape[-1]), inputs.reshape(rows, -1, inputs.shape[-1])
        return self.form(name, rows, lambda part: torch.bmm(above[part].transpose(1, 2).float(), below[part].float()))


class RowLora(torch.autograd.Function):
    """s·B·A·x for x [rows, ..., inputs]: one function for both, because the scaling then costs next to nothing."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, down: Tensor, up: Tensor, scaling: float, names: tuple[str, str], capture: Capture
    ) -> Tensor:
        """The low-rank map; see torch.autograd.Function. `names` of A (down) and B (up)."""
        hidden = (x @ down.T) * scaling
        ctx.save_for_backward(x, hidden, down, up)
        ctx.scaling, ctx.names, ctx.capture = scaling, names, capture
        return hidden @ up.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None, None]:
        """Gradients of the loss by x, A and B; the rows' terms go to the capture."""
        x, hidden, down, up = ctx.saved_tensors
        above = (gradient @ up) * ctx.scaling
        ups = ctx.capture.form_product(ctx.names[1], gradient, hidden)
        downs = ctx.capture.form_product(ctx.names[0], above, x)
        # The lowest adapted layer's input is cached: nobody below asks for its gradient.
        below = above @ down if ctx.needs_input_grad[0] else None
        return below, downs, ups, None, None, None


class RowLinear(torch.autograd.Function):
    """W·x + b for x [rows, ..., inputs]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, names: Mapping[str, str], capture: Capture
    ) -> Tensor:
        """The linear map; see torch.autograd.Function. `names` has what is trained of weight and bias."""
        ctx.save_for_backward(x, weight)
        ctx.names, ctx.capture = names, capture
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        """Gradients of the loss by x, weight and bias; the rows' terms go to the capture."""
        x, weight = ctx.saved_tensors
        weights = biases = None
        if "weight" in ctx.names:
            weights = ctx.capture.form_product(ctx.names["weight"], gradient, x)
        if "bias" in ctx.names:
            above = gradient.reshape(len(x), -1, gradient.shape[-1])
            biases = ctx.capture.form(ctx.names["bias"], len(x), lambda part: above[part].float().sum(1))
        below = gradient @ weight if ctx.needs_input_grad[0] else None
        return below, weights, biases, None, None


class RowEmbedding(torch.autograd.Function):
    """The vectors of tokens [rows, ...]."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, weight: Tensor, padding: int | None, name: str, capture: Capture) -> Tensor:
        """The look-up; see torch.autograd.Function. The vector of the token `padding` does not learn."""
        ctx.save_for_backward(tokens)
        ctx.shape, ctx.padding, ctx.name, ctx.capture = weight.shape, padding, name, capture
        return functional.embedding(tokens, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, None, None]:
        """Gradient of the loss by the weight; the rows' terms go to the capture."""
        (tokens,) = ctx.saved_tensors
        rows, (vocabulary, width) = len(tokens), ctx.shape
        places, above = tokens.reshape(rows, -1), gradient.reshape(rows, -1, width).float()
        if ctx.padding is not None:
            above = above * (places != ctx.padding)[..., None]

        def terms(part: slice) -> Tensor:
            size = len(places[part])
            into = places[part] + vocabulary * torch.arange(size, device=places.device)[:, None]
            flat = above.new_zeros(size * vocabulary, width)
            return flat.index_add_(0, into.view(-1), above[part].reshape(-1, width)).view(size, vocabulary, width)

        return None, ctx.capture.form(ctx.name, rows, terms), None, None, None


def _nobody(name: str, part: slice, gradients: Tensor) -> None:
    """Receives before a batch is asked for."""
