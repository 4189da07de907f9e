"""What many adapters cost on one base: rows of different adapters in a batch, and many resident adapters."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import peft
import torch

from tribute.config import load_config
from tribute.finetuning.models.base_models import base_folder, load_encoder, load_tokenizer
from tribute.services.engines.shared import SharedBase

CONFIG = Path(__file__).parents[2] / "configs" / "docs.yaml"
ROWS, FEW, MANY = 32, 8, 256
BATCHES, CALLS = 100, 1500
TEXTS = ("Return the mean of an array along an axis.", "Open a file and read its lines until the end.")
"""Of 11 and 12 tokens, as the demo's rows have."""
LAYERS = {"last layer": True, "all layers": False}


def adapters_table(_: Path) -> str:
    """Batches of one and of 32 adapters, and calls among 8 and among 256 resident ones."""
    torch.set_num_threads(1)
    lines = [f"| {ROWS} rows in a batch | one adapter | {ROWS} adapters | ratio |", "|---|---|---|---|"]
    for name, last in LAYERS.items():
        one, mixed = mixed_batches(shared_base(ROWS, last=last))
        lines.append(f"| {name} | {one:.1f} ms | {mixed:.1f} ms | {mixed / one:.2f}× |")
    few, many = resident(shared_base(FEW), shared_base(MANY))
    lines += ["", f"| one row a call | {FEW} resident | {MANY} resident | ratio |", "|---|---|---|---|"]
    for place, name in enumerate(("p50", "p99")):
        lines.append(f"| {name} | {few[place]:.2f} ms | {many[place]:.2f} ms | {many[place] / few[place]:.2f}× |")
    return "\n".join(lines)


def shared_base(adapters: int, *, last: bool = True) -> SharedBase:
    """The demo's base under random adapters `a0`, `a1`, … of the demo's form."""
    config = load_config(CONFIG).finetuning
    layers = list(config.lora.layers or ()) if last else None
    settings = peft.LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        target_modules=list(config.lora.target_modules),
        layers_to_transform=layers,
        init_lora_weights=False,
    )
    torch.manual_seed(0)
    folder = base_folder(config.base)
    network = peft.get_peft_model(load_encoder(folder), settings, adapter_name="a0")
    for number in range(1, adapters):
        network.add_adapter(f"a{number}", settings)
    return SharedBase(network, load_tokenizer(folder).pad_token_id, is_encoder=True)


def mixed_batches(shared: SharedBase) -> tuple[float, float]:
    """Median milliseconds of a batch of one adapter and of a batch in which each row has its own, in turn."""
    tokenizer = load_tokenizer(base_folder(load_config(CONFIG).finetuning.base))
    batch = tokenizer([TEXTS[number % len(TEXTS)] for number in range(ROWS)], padding=True, return_tensors="pt")
    names = {"one": ["a0"] * ROWS, "mixed": [f"a{number}" for number in range(ROWS)]}
    times: dict[str, list[float]] = {kind: [] for kind in names}
    for number in range(BATCHES + 5):
        for kind, adapters in names.items():
            took = timed(lambda adapters=adapters: shared.forward(adapters, **batch))
            if number >= 5:
                times[kind].append(took)
    shared.close()
    return float(np.median(times["one"]) * 1000), float(np.median(times["mixed"]) * 1000)


def resident(few: SharedBase, many: SharedBase) -> list[np.ndarray]:
    """(p50, p99) in milliseconds of calls of one row, each for an adapter at random, of both bases in turn."""
    tokenizer = load_tokenizer(base_folder(load_config(CONFIG).finetuning.base))
    rows = [tokenizer(text)["input_ids"] for text in TEXTS]
    chance, bases = random.Random(0), ((few, FEW), (many, MANY))
    times: list[list[float]] = [[], []]
    for number in range(CALLS + 20):
        for place, (shared, adapters) in enumerate(bases):
            adapter, row = f"a{chance.randrange(adapters)}", rows[number % len(rows)]
            took = timed(lambda shared=shared, adapter=adapter, row=row: shared.embed(adapter, [row]))
            if number >= 20:
                times[place].append(took)
    for shared, _ in bases:
        shared.close()
    return [np.percentile(taken, [50, 99]) * 1000 for taken in times]


def timed(work: Callable[[], object]) -> float:
    """Seconds on the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
