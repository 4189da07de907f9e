"""Tribute's capture beside other libraries', and batches of similar length beside padding to the longest."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch.nn import functional

from lib.other_libraries import Peer, label
from lib.timing import Variant, against, measure, plain, quartiles, set_up_and_gathered, set_up_and_handed_on
from tribute.finetuning.encoding.encoding import IGNORED, Batch, EncodedRows
from tribute.finetuning.models.row_models import RowModel

BUDGETS = (256, 512, 1024, 2048)
"""Padded tokens a batch: every contestant runs with all of them, and its best one counts."""
PASSES, ROWS, BATCHES, PADDED = 7, 384, 6, 32


def contest(title: str, model: RowModel, rows: EncodedRows, peers: Mapping[str, Peer | str]) -> list[str]:
    """Every row's gradient of every trained weight, in each one's best batches; a peer that is a text is absent.

    A pass holds each one's set-up and gathers a batch's row gradients in memory; Tribute's second line hands them on
    layer by layer, as its in-run credit takes them.
    """
    chosen = rows.take(range(min(ROWS, len(rows))))
    chunks = {budget: list(chosen.chunks(range(len(chosen)), budget)) for budget in BUDGETS}
    variants: dict[str, Variant] = {}
    absent: dict[str, str] = {}

    def enter(name: str, at: Callable[[int], Callable[[], None]]) -> None:
        for budget in BUDGETS:
            once = at(budget)
            variants[f"{name}@{budget}"] = (nullcontext, lambda *_, once=once: once())

    enter("forward and backward", lambda budget: lambda: plain(model, chosen, chunks[budget]))
    enter("Tribute", lambda budget: lambda: set_up_and_gathered(model, chosen, chunks[budget]))
    enter("Tribute, handed on", lambda budget: lambda: set_up_and_handed_on(model, chosen, chunks[budget]))
    for name, peer in peers.items():
        try:
            if isinstance(peer, str):
                raise NotImplementedError(peer)
            passes = {budget: peer(model, chosen, chunks[budget]) for budget in BUDGETS}
            passes[BUDGETS[0]]()
            enter(label(name), passes.__getitem__)
        except Exception as error:  # Whatever keeps a peer from running belongs in the table.
            absent[name] = str(error).partition("\n")[0] or type(error).__name__
    timed = measure(variants, range(PASSES))
    best = {name: min(at, key=lambda key: statistics.median(timed[key])) for name, at in _grouped(timed).items()}
    return [
        "",
        f"## {title}",
        "",
        f"{len(chosen)} rows of {chosen.lengths().mean():.0f} tokens on average; batches of similar length for all, "
        f"each at its best of {', '.join(map(str, BUDGETS))} padded tokens a batch; medians and quartiles of {PASSES} "
        "passes. A pass holds the set-up and gathers every batch's row gradients in memory; *handed on*: layer "
        "by layer, as in-run credit takes them.",
        "",
        "| every row's gradient by | rows/s | against forward and backward | quartiles | tokens a batch |",
        "|---|---|---|---|---|",
        *(_line(name, key, len(chosen), timed, best["forward and backward"]) for name, key in best.items()),
        *(f"| {name} | – | {reason} | | |" for name, reason in absent.items()),
    ]


def _line(name: str, key: str, rows: int, timed: Mapping[str, Sequence[float]], base: str) -> str:
    low, middle, high = quartiles(timed, key, base)
    speed = rows / statistics.median(timed[key])
    return f"| {name} | {speed:.0f} | {middle:.2f} | {low:.2f}–{high:.2f} | {key.rpartition('@')[2]} |"


def padding_table(worlds: Mapping[str, tuple[RowModel, EncodedRows]]) -> list[str]:
    """Forward and backward in batches of similar length, against one padded batch of random rows."""
    lines = []
    for name, (model, rows) in worlds.items():
        longest = int(rows.lengths().max())
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        batches = [order[start : start + PADDED] for start in range(0, BATCHES * PADDED, PADDED)]
        variants: dict[str, Variant] = {
            "similar": (nullcontext, lambda _, batch, at=(model, rows): plain(*at, list(at[1].chunks(batch)))),
            "batch": (nullcontext, lambda _, batch, at=(model, rows): plain(*at, [batch])),
            "all": (nullcontext, lambda _, batch, at=(model, rows, longest): _padded(*at, batch)),
        }
        timed = measure(variants, batches)
        lengths = rows.lengths()
        lines.append(
            f"| {name} | {lengths.mean():.0f} ({lengths.min()}–{longest}) | {against(timed, 'batch', 'similar'):.2f} "
            f"| {against(timed, 'all', 'similar'):.2f} |"
        )
    return [
        "",
        "## Batches of similar length",
        "",
        f"How many times faster forward and backward of {PADDED} random rows are in batches of similar length within "
        "the token budget than in one batch, padded to its own longest row or to the data's longest.",
        "",
        "| rows | tokens a row | against the batch's longest | against the data's longest |",
        "|---|---|---|---|",
        *lines,
    ]


def _grouped(keys: Mapping[str, object]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(key.rpartition("@")[0], []).append(key)
    return groups


def _padded(model: RowModel, rows: EncodedRows, width: int, batch: Sequence[int]) -> None:
    """Forward and backward of rows padded to `width` tokens."""
    padded: Batch = {}
    for name, value in rows.collate(batch).items():
        fill = {"labels": IGNORED, "input_ids": rows.pad_id}.get(name, 0)
        behind = [0, 0] * (value.dim() - 2) + [0, width - value.shape[1]] if value.dim() > 1 else [0, 0]
        padded[name] = functional.pad(value, behind, value=fill)
    torch.autograd.grad(model.row_losses(padded).sum(), list(model.trainable().values()))
