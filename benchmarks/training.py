"""What the settings of a training cost: memory, disk and time, side by side; on random weights.

    python benchmarks/training.py [--jsonl gsm8k.jsonl] [--table trl]

A JSONL file has a `prompt` and a `response` a line; without one rows have random lengths. Memory is the peak of a
process per variant, time the CPU seconds of one thread, medians over neighbours in time. Writes
docs/benchmarks/training.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lib.sft_trainer import trl_table
from lib.small_training import ADAPTERS, model_of, rows_for, rows_of, settings, where
from lib.timing import Variant, against, measure
from lib.walk_costs import walk_table
from throughput import processor
from tribute.finetuning.encoding.packing import batches
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.recording.trace import longest_gap, state_steps
from tribute.finetuning.training.schedule import learning_rates
from tribute.finetuning.training.training import train

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "training.md"
RANK = 1779
"""LoRA of this rank on the small Llama has 41.9 million parameters, as rank 16 has on one of 8 billion."""
LONG = 4689
"""Steps of 50,000 rows, three epochs, in batches of 32."""
SHORT = 16
"""Steps that are run here."""
GIGABYTE = 1e9
HEAD = f"""# Training

Written by `benchmarks/training.py` on {processor()}, one thread, torch {torch.__version__}. CPU time."""


def main() -> None:
    """Measure and write the page, or renew some of its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jsonl", type=Path, help="rows whose lengths are packed and padded")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    tables: dict[str, Callable[[Path | None], list[str]]] = {
        "trace": lambda _: scale_table(),
        "micro-batches": lambda _: batch_table(),
        "packing": time_table,
        "walk": lambda _: walk_table(),
        "trl": trl_table,
    }
    parser.add_argument("--table", action="append", choices=list(tables), help="only this one; the others stay")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.variant:
        print(json.dumps(one_training(json.loads(arguments.variant))))
        return
    for name in arguments.table or tables:
        renew(tables[name](arguments.jsonl))


def renew(table: list[str]) -> None:
    """Write a table into the page, in place of what stood under its heading."""
    head, *parts = PAGE.read_text(encoding="utf-8").split("\n## ") if PAGE.exists() else [f"{HEAD}\n"]
    new = "\n".join(table[1:]).removeprefix("## ") + "\n"
    title = new.partition("\n")[0]
    if title in (titles := [part.partition("\n")[0] for part in parts]):
        parts[titles.index(title)] = new
    else:
        parts.append(new)
    PAGE.write_text("\n## ".join([head, *parts]), encoding="utf-8")


def one_training(variant: Mapping[str, Any]) -> dict[str, float]:
    """Runs in a process of its own: a peak is the whole process's."""
    config = settings(**variant["settings"])
    rows = replace(rows_of(variant["rows"], variant["tokens"]), budget=config.tokens_at_once)
    model = model_of(variant["lora"])
    with tempfile.TemporaryDirectory() as scratch:
        training = train(model, rows, config, 0, Path(scratch), recorded=variant["recorded"])
        disk = training.states.stat().st_size if variant["recorded"] else 0
    return {
        "peak": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024,
        "disk": disk,
        "states": len(training.trace.states),
        "parameters": sum(value.numel() for value in model.trainable().values()),
    }


def measured(**variant: Any) -> dict[str, float]:
    """`one_training` in a process of its own."""
    command = [sys.executable, __file__, "--variant", json.dumps(variant)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def scale_table() -> list[str]:
    """Memory and disk of a trace at 41.9 million trained parameters, and what a long training would leave."""
    variants = {
        "recorded in no state": {"recorded": False},
        "as by default": {"trace_states": 34},
        "`trace_segments`, 10 states": {"trace_states": 10, "trace_segments": True},
        "the same, moments in bfloat16": {"trace_states": 10, "trace_segments": True, "trace_precision": "bfloat16"},
    }
    lines = []
    for name, changes in variants.items():
        recorded = changes.pop("recorded", True)
        short = {**changes, "trace_states": 5} if recorded else {}
        facts = measured(
            settings={"epochs": SHORT, **short}, lora={"r": RANK, "alpha": 16}, rows=8, tokens=16, recorded=recorded
        )
        config = settings(**changes)
        gap = LONG if config.trace_segments else longest_gap(0.9)
        states = len(state_steps(learning_rates(config, LONG), config.trace_states, gap)) if recorded else 0
        size = facts["disk"] / max(facts["states"], 1)
        lines.append(
            f"| {name} | {facts['peak'] / GIGABYTE:.2f} GB | {facts['states']:.0f} states, "
            f"{facts['disk'] / GIGABYTE:.2f} GB | {states} states, {states * size / GIGABYTE:.1f} GB |"
        )
    return [
        "",
        "## The trace of 41.9 million trained parameters",
        "",
        f"{facts['parameters'] / 1e6:.1f} M parameters, {SHORT} steps of 8 short rows, at most 5 states and those of "
        f"the first steps. The last column is computed from the size of a state: {LONG:,} steps.",
        "",
        f"| trace | peak memory | on disk, {SHORT} steps | on disk, {LONG:,} steps |",
        "|---|---|---|---|",
        *lines,
    ]


def batch_table() -> list[str]:
    """What a batch costs in memory at different budgets of tokens at once."""
    lines = []
    for budget in (512, 2048, 8192):
        facts = measured(
            settings={"epochs": 2, "batch_size": 64, "tokens_at_once": budget},
            lora={"r": 8, "alpha": 16},
            rows=64,
            tokens=128,
            recorded=False,
        )
        lines.append(f"| {budget:,} | {facts['peak'] / GIGABYTE:.2f} GB |")
    return [
        "",
        "## Micro-batches",
        "",
        "Batches of 64 rows of 128 tokens.",
        "",
        "| `tokens_at_once` | peak |",
        "|---|---|",
        *lines,
    ]


def time_table(jsonl: Path | None) -> list[str]:
    """A step's forward and backward: padded, packed, with dropout."""
    rows = rows_for(jsonl, 320)
    model, dropping = model_of(ADAPTERS), model_of({**ADAPTERS, "dropout": 0.1})

    def step(stepped: ResponseModel, are_packed: bool, _: Any, indices: list[int]) -> None:
        for batch in batches(replace(rows, drops=stepped is dropping), indices, 0, are_packed=are_packed):
            torch.autograd.backward(stepped.row_losses(batch).sum())

    variants: dict[str, Variant] = {
        "padded": (nullcontext, partial(step, model, False)),
        "packed": (nullcontext, partial(step, model, True)),
        "padded, dropout 0.1": (nullcontext, partial(step, dropping, False)),
    }
    timed = measure(variants, [list(range(start, start + 32)) for start in range(0, 320, 32)])
    lines = [
        f"| {name} | {1000 * statistics.median(times):.0f} ms | {against(timed, name, 'padded'):.2f} |"
        for name, times in timed.items()
    ]
    return [
        "",
        "## Packing and dropout",
        "",
        f"Batches of 32 rows, {where(jsonl)}; LoRA of rank 8 on all linear layers; the median of 10 steps.",
        "",
        "| forward and backward | CPU time | against padded |",
        "|---|---|---|",
        *lines,
    ]


if __name__ == "__main__":
    main()
