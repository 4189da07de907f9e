"""What attribution costs: every variant in one process, one thread, on the same rows, taking turns.

Run after `tribute demo` (or any run of configs/docs.yaml), with its workspace, which is only read:

    python benchmarks/throughput.py demo [--jsonl gsm8k.jsonl …]

A JSONL file has a `prompt` and a `response` a line. Writes docs/benchmarks/throughput.md. Times are CPU seconds of
this process, so that other work on the machine disturbs less; ratios are medians over ratios of neighbours in time.
With a GPU, on random weights, printed only:

    python benchmarks/throughput.py --device cuda --llama 1b
"""

import argparse
import logging
import platform
import statistics
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.gradient_throughput import contest, padding_table
from lib.llama import causal_rows, gpu_table, llama, read_rows
from lib.other_libraries import PEERS, Peer
from lib.timing import Variant, against, handed_on, measure, plain
from tribute.artifacts import Artifact
from tribute.attribution.answers.row_index import ROWS_PER_SHARD, WIDTH, collect
from tribute.attribution.credit.inrun import PIECES, InRun, in_run_credit
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.capture import capture, row_gradients
from tribute.attribution.gradients.curvature import Curvature, draws, fit, midpoints
from tribute.attribution.gradients.evaluation import evaluation_gradient, slice_gradients
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.config import FinetuningConfig, RunConfig, load_config
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import Adam, RootAdam
from tribute.finetuning.preparation.preparation import Prepared, prepare
from tribute.finetuning.recording.trace import Trace
from tribute.finetuning.training.schedule import schedule
from tribute.finetuning.training.training import train
from tribute.workspace import Workspace

ROOT = Path(__file__).parents[1]
CONFIG, PAGE = ROOT / "configs" / "docs.yaml", ROOT / "docs" / "benchmarks" / "throughput.md"
RUNS = 3


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, nargs="?", help="the workspace of a run of configs/docs.yaml")
    parser.add_argument("--jsonl", type=Path, action="append", default=[], help="more rows for the padding table")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--llama", choices=("1b", "8b"), default="1b", help="the size measured on a GPU")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.device == "cuda":
        print("\n".join(gpu_table(arguments.llama)))
        return
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    config = load_config(CONFIG)
    dataset = newest(Workspace.open(arguments.workspace).store.all("dataset"), config.dataset.tag)
    with tempfile.TemporaryDirectory() as scratch:
        ready = prepare(dataset, config.finetuning, Path(scratch), config.finetuning.seeds[0])
        lines = page(ready, config, Path(scratch), arguments.jsonl)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def newest(datasets: Iterator[Artifact], tag: str) -> Artifact:
    """The dataset version of this tag; the newest where the code that made it has changed."""
    return max(
        (artifact for artifact in datasets if f'"{tag}"' in artifact.file("dataset.json").read_text()),
        key=lambda artifact: artifact.provenance["made_at"],
    )


def page(ready: Prepared, config: RunConfig, scratch: Path, files: Sequence[Path]) -> list[str]:
    """The whole page."""
    causal, tokenizer = llama("small"), load_tokenizer(base_folder(config.finetuning.base))
    docs = causal_rows(ready.train.tokens)
    worlds = {"docs, the demo's classifier": (ready.model, ready.train), "docs, causal": (causal, docs)}
    worlds |= {f"{file.stem}, causal": (causal, read_rows(file, tokenizer, 1000)) for file in files}
    classifying: dict[str, Peer | str] = PEERS | {"bergson": "has causal losses only"}
    return [
        "# Throughput",
        "",
        "Written by `benchmarks/throughput.py`. CPU time of one process with one thread, medians; "
        f"{processor()}, torch {torch.__version__}.",
        *step_table(ready, config.finetuning),
        *run_table(ready, config, scratch),
        *contest("Other libraries, causal: a Llama of 4 layers, LoRA on all linear ones", causal, docs, PEERS),
        *contest("Other libraries, the demo's classifier", ready.model, ready.train, classifying),
        *padding_table(worlds),
    ]


def processor() -> str:
    """The machine in words."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{models[0].partition(': ')[2]}, {len(models)} cores, {platform.system()}"


def step_table(ready: Prepared, config: FinetuningConfig) -> list[str]:
    """What the capture adds to a batch's forward and backward, and to a training step."""
    model, rows = ready.model, ready.train
    # A rate of nearly nothing: every variant sees the same model.
    optimiser = RootAdam(model.trainable().values(), 1e-12, Adam())
    buffer: list[torch.Tensor] = []

    def gathered(opened: Any, batch: Sequence[int]) -> None:
        opened.buffer = buffer.pop() if buffer else opened.buffer
        for chunk in rows.chunks(batch):
            row_gradients(model, opened, rows.collate(chunk))
        buffer.append(opened.buffer)

    opening = partial(capture, model)
    variants: dict[str, Variant] = {
        "forward and backward": (nullcontext, lambda _, batch: plain(model, rows, list(rows.chunks(batch)))),
        "the same, each layer's row gradients formed and handed on": (
            opening,
            lambda opened, batch: handed_on(model, rows, opened, list(rows.chunks(batch))),
        ),
        "the same, gathered into one tensor [rows, parameters]": (opening, gathered),
        "training step: forward, backward, update": (
            nullcontext,
            lambda _, batch: training_step(model, rows, optimiser, batch),
        ),
    }
    timed = measure(variants, schedule(len(rows), config, config.seeds[0])[:60])
    base = next(iter(variants))
    lines = [
        f"| {name} | {1000 * statistics.median(times):.0f} ms | {1 / against(timed, name, base):.2f} |"
        for name, times in timed.items()
    ]
    width = sum(value.numel() for value in model.trainable().values())
    return [
        "",
        "## Per-row gradients",
        "",
        f"The demo's model: batches of {config.batch_size} rows, {width:,} trained parameters a row; the median of 60.",
        "",
        "| what | CPU time | rows/s against forward and backward |",
        "|---|---|---|",
        *lines,
    ]


def run_table(ready: Prepared, config: RunConfig, scratch: Path) -> list[str]:
    """In-run credit and replay of one recorded training, in trainings."""
    model, rows, settings = ready.model, ready.train, config.finetuning
    trace = train(model, rows, settings, settings.seeds[0], scratch / "training").trace
    sample = ready.evaluation
    weights = np.full(len(sample), 1 / len(sample))
    steps = schedule(len(rows), settings, settings.seeds[0])
    optimiser = RootAdam(model.trainable().values(), 1e-12, Adam())
    end = evaluation_gradient(model, sample)[None]
    fitted, walks = [fit_curvature(ready, trace)], list[InRun]()

    def one_training(*_: Any) -> None:
        for batch in steps:
            training_step(model, rows, optimiser, batch)

    timed = measure(
        {
            "training": (nullcontext, one_training),
            "gradients": (nullcontext, lambda *_: slice_gradients(model, sample)),
            "in-run": (nullcontext, lambda *_: walks.append(in_run_credit(model, rows, sample, weights, trace))),
            "replay": (nullcontext, lambda *_: replay_scores(model, rows, trace, end)),
            "curvature": (nullcontext, lambda *_: fitted.append(fit_curvature(ready, trace))),
            "index": (nullcontext, lambda *_: index_rows(ready, trace, fitted[-1])),
        },
        range(RUNS),
        warm=False,
    )
    # A piece of the path that is halved is looked at in one more state, and in the middle of either half.
    states = len(walks[0].steps)
    looks = states + PIECES + 2 * (states - PIECES - 1)
    gradients = [looks * seconds for seconds in timed["gradients"]]
    timed |= {"evaluation": gradients, "walk": [a - b for a, b in zip(timed["in-run"], gradients, strict=True)]}
    what = {
        "training": f"one training: {len(steps)} steps",
        "walk": "in-run: walking the trace, every row scored for every slice",
        "evaluation": f"in-run: evaluation gradients of {len(sample)} rows at {looks} points",
        "in-run": "in-run, together",
        "replay": "replay, one scalar",
        "curvature": f"index: curvature from {sum(draws(len(rows))):,} drawn labels",
        "index": f"index: {len(rows)} rows' gradients at two states, their {WIDTH} strongest coordinates written",
    }
    return [
        "",
        "## A whole attribution",
        "",
        f"The demo's settings, one seed; medians of {RUNS} runs. A training is its forward, backward and update alone.",
        "",
        "| what | CPU time | trainings |",
        "|---|---|---|",
        *(
            f"| {text} | {statistics.median(timed[name]):.0f} s | {against(timed, name, 'training'):.2f} |"
            for name, text in what.items()
        ),
    ]


def fit_curvature(ready: Prepared, trace: Trace) -> Curvature:
    """As an index fits it."""
    return fit(ready.model, ready.train, midpoints(trace), trace.metric, trace.seed)


def index_rows(ready: Prepared, trace: Trace, curvature: Curvature) -> None:
    """Write the shards of an index."""

    def measured(wanted: Sequence[int]) -> Iterator[tuple[Sequence[int], torch.Tensor, torch.Tensor]]:
        for chunk, gradients in row_gradients_of(ready.model, ready.train, wanted, midpoints(trace)):
            yield chunk, curvature.coordinates(gradients, WIDTH), gradients.sum(0)

    with tempfile.TemporaryDirectory() as folder:
        collect(Path(folder), len(ready.train), torch.zeros(len(curvature.metric)), measured, ROWS_PER_SHARD)


def training_step(model: RowModel, rows: EncodedRows, optimiser: RootAdam, batch: Sequence[int]) -> None:
    """Forward, backward and update."""
    for chunk in rows.chunks(batch):
        (model.row_losses(rows.collate(chunk)).sum() / len(batch)).backward()
    optimiser.step()
    optimiser.zero_grad()


if __name__ == "__main__":
    main()
