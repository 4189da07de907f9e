"""Variants that take turns: the clock of the throughput benchmark, and what it runs most."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from tribute.attribution.gradients.capture import capture, row_gradients, stream_gradients
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel

Variant = tuple[Callable[[], AbstractContextManager[Any]], Callable[[Any, Any], object]]
"""A context, which is not timed, and the work, which is: it takes what the context gave and an item."""


def measure(
    variants: Mapping[str, Variant],
    items: Sequence[Any],
    clock: Callable[[], float] = time.process_time,
    warm: bool = True,
) -> dict[str, list[float]]:
    """Seconds of every item in every variant; which one goes first changes from item to item.

    To get warm, the first item is worked on once more before.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for number, item in enumerate([*items[:warm], *items]):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            context, work = variants[name]
            with context() as opened:
                started = clock()
                work(opened, item)
                seconds[name].append(clock() - started)
    return {name: times[warm:] for name, times in seconds.items()}


def against(timed: Mapping[str, Sequence[float]], name: str, base: str) -> float:
    """The median over items of this variant's time by the base's on the same item."""
    return statistics.median(own / other for own, other in zip(timed[name], timed[base], strict=True))


def quartiles(timed: Mapping[str, Sequence[float]], name: str, base: str) -> list[float]:
    """Lower quartile, median and upper quartile over items of the base's time by this variant's on the same item."""
    return statistics.quantiles(other / own for own, other in zip(timed[name], timed[base], strict=True))


def plain(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> None:
    """Forward and backward."""
    for chunk in chunks:
        torch.autograd.grad(model.row_losses(rows.collate(chunk)).sum(), list(model.trainable().values()))


def handed_on(model: RowModel, rows: EncodedRows, opened: Any, chunks: Sequence[Sequence[int]]) -> None:
    """The same, every row's gradient formed layer by layer and handed on to nobody."""
    for chunk in chunks:
        stream_gradients(model, opened, rows.collate(chunk), lambda *_: None)


def set_up_and_handed_on(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> None:
    """The same with the capture's opening."""
    with capture(model) as opened:
        handed_on(model, rows, opened, chunks)


def set_up_and_gathered(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> None:
    """The capture's opening, and every batch's row gradients gathered in memory, [rows, parameters]."""
    with capture(model) as opened:
        for chunk in chunks:
            row_gradients(model, opened, rows.collate(chunk))
