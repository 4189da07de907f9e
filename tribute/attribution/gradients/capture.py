"""Every row's own gradient, formed where autograd would have summed over rows anyway.

Any loss will do, as long as the first dimension of every trained layer's input is the row. What is frozen may have
any type, quantised ones too: only what is trained is touched, on whatever device it lies.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tribute.attribution.gradients.row_layers import Capture, Receive, RowEmbedding, RowLinear, RowLora
from tribute.errors import AttributionError
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.recording.trace import flatten

SUM_LIMIT = 0.01
"""The rows' sum may miss the batch gradient by this, relative: bfloat16 rounds, another use of a weight shows."""


@contextmanager
def capture(model: RowModel) -> Iterator[Capture]:
    """While open, `row_gradients` and `stream_gradients` can be asked of `model`.

    Raises AttributionError where something is trained that is neither LoRA of a linear layer, nor a linear layer,
    nor an embedding.
    """
    opened = Capture(model.trainable())
    forwards = list(_forwards(model, opened))
    try:
        for layer, forward in forwards:
            layer.forward = forward
        yield opened
    finally:
        for layer, _ in forwards:
            vars(layer).pop("forward", None)


def stream_gradients(
    model: RowModel, capture: Capture, batch: Mapping[str, Tensor], receive: Receive
) -> tuple[Tensor, Tensor]:
    """Hand each layer's row gradients to `receive` as they arise; gives the losses [rows] and the sum [parameters].

    Raises AttributionError where the loss does not depend on a parameter or, at the first batch of an open
    capture, where the rows' gradients do not sum to the batch's.
    """
    losses = model.row_losses(dict(batch))
    capture.rows, capture.receive = len(losses), receive
    sums = None
    if not capture.checked:
        sums = torch.zeros(capture.width, device=losses.device)
        capture.receive = _summing(receive, capture, sums)
    found = torch.autograd.grad(losses.sum(), list(capture.parameters.values()), allow_unused=True)
    gradients = dict(zip(capture.parameters, found, strict=True))
    for name, gradient in gradients.items():
        if gradient is None:
            raise AttributionError(f"the loss does not depend on {name}; adapt only layers that it passes through")
    whole = flatten(gradients)
    if sums is not None:
        _check_sums(capture, sums, whole)
    return losses.detach(), whole


def row_gradients(model: RowModel, capture: Capture, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Each row's loss [rows] and gradient, float32 [rows, parameters], at the model's present parameters.

    The gradients are written over by the next call. Raises as `stream_gradients` does.
    """
    rows = len(next(iter(batch.values())))
    if len(capture.buffer) < rows:
        capture.buffer = torch.empty(rows, capture.width, device=model.device)
    gradients = capture.buffer[:rows]
    met: set[tuple[str, int]] = set()

    def keep(name: str, part: slice, terms: Tensor) -> None:
        place, use = gradients[part, capture.places[name]], (name, part.start)
        if use in met:
            place += terms.flatten(1)
        else:
            place.copy_(terms.flatten(1))
            met.add(use)

    losses, _ = stream_gradients(model, capture, batch, keep)
    return losses, gradients


def _forwards(model: RowModel, capture: Capture) -> Iterator[tuple[Any, Callable[[Tensor], Tensor]]]:
    """Every layer that holds something trained, and what stands in for its forward."""
    from peft.tuners.lora import LoraLayer

    names = {value: name for name, value in capture.parameters.items()}
    adapters: set[nn.Module] = set()
    for layer in model.modules():
        is_lora = isinstance(layer, LoraLayer)
        trained = {own: names[value] for own, value in layer.named_parameters(recurse=is_lora) if value in names}
        if trained and layer not in adapters:
            yield layer, _lora(layer, trained, capture) if is_lora else _whole(layer, trained, capture)
        if is_lora:
            adapters |= set(layer.modules())


def _lora(layer: Any, trained: Mapping[str, str], capture: Capture) -> Callable[[Tensor], Tensor]:
    (adapter,) = layer.active_adapters
    own = (f"lora_A.{adapter}.weight", f"lora_B.{adapter}.weight")
    if set(trained) != set(own) or not all(
        isinstance(part[adapter], nn.Linear) for part in (layer.lora_A, layer.lora_B)
    ):
        raise _unsupported(layer, trained)
    down, up = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    scaling, names = layer.scaling[adapter], (trained[own[0]], trained[own[1]])
    dropout = layer.lora_dropout[adapter]

    def forward(x: Tensor) -> Tensor:
        base = layer.base_layer(x)
        kept = dropout(x.to(down.dtype))
        change: Tensor = RowLora.apply(kept, down, up, scaling, names, capture)  # type: ignore[no-untyped-call]
        return change.add_(base).to(base.dtype)

    return forward


def _whole(layer: Any, trained: Mapping[str, str], capture: Capture) -> Callable[[Tensor], Tensor]:
    # A class of its own may do more than its parent, so only the parents' own forward will do. An embedding's rows
    # must not depend on each other.
    forward = type(layer).forward
    if forward is nn.Linear.forward:
        return lambda x: RowLinear.apply(x, layer.weight, layer.bias, trained, capture)  # type: ignore[no-untyped-call]
    if forward is nn.Embedding.forward and layer.max_norm is None and not (layer.scale_grad_by_freq or layer.sparse):
        name, padding = trained["weight"], layer.padding_idx
        return lambda x: RowEmbedding.apply(x, layer.weight, padding, name, capture)  # type: ignore[no-untyped-call]
    raise _unsupported(layer, trained)


def _unsupported(layer: nn.Module, trained: Mapping[str, str]) -> AttributionError:
    return AttributionError(
        f"{next(iter(trained.values()))} is trained in a {type(layer).__name__}; attribution follows LoRA of linear "
        "layers, whole linear layers and embeddings: change finetuning.lora.target_modules or modules_to_save"
    )


def _summing(receive: Receive, capture: Capture, sums: Tensor) -> Receive:
    def receive_and_sum(name: str, part: slice, terms: Tensor) -> None:
        sums[capture.places[name]] += terms.sum(0).view(-1)
        receive(name, part, terms)

    return receive_and_sum


def _check_sums(capture: Capture, sums: Tensor, whole: Tensor) -> None:
    missed = sums - whole
    # Written so that NaN passes: a loss that is not a number is told where its row is known.
    if missed.norm() > SUM_LIMIT * whole.norm():
        worst = max(capture.places, key=lambda name: float(missed[capture.places[name]].norm()))
        raise AttributionError(
            f"the rows' gradients of {worst} do not sum to the batch's, so it is used outside its layer; "
            "take it out of finetuning.lora"
        )
    capture.checked = True
