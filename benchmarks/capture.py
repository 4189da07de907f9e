"""What per-row gradients cost: side by side in one process, one thread, the same rows and the same steps.

Run after `tribute demo` (or any run of configs/docs.yaml), with its workspace, which is only read:

    python benchmarks/capture.py demo

Prints a Markdown table. Times are CPU seconds of this process, so that other work on the machine disturbs
less; variants take turns within every step, so that what disturbs all the same hits all alike.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import Tensor

from tribute.artifacts import Artifact
from tribute.attribution.capture import capture, row_gradients
from tribute.attribution.sample import stratified_sample
from tribute.config import FinetuningConfig, load_config
from tribute.finetuning.models import RowModel
from tribute.finetuning.preparation import Prepared, prepare
from tribute.finetuning.rows import EncodedRows
from tribute.finetuning.trace import state_steps
from tribute.finetuning.training import schedule
from tribute.workspace import Workspace

CONFIG = Path(__file__).parents[1] / "configs" / "docs.yaml"
EVALUATIONS = 3
"""How often the evaluation sample's gradients are timed."""

Step = Callable[[Sequence[int]], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, help="the workspace of a run of configs/docs.yaml; only read")
    parser.add_argument("--steps", type=int, default=60, help="training steps timed in each variant")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = load_config(CONFIG)
    dataset = newest(Workspace.open(arguments.workspace).store.all("dataset"), config.dataset.tag)
    with tempfile.TemporaryDirectory() as scratch:
        ready = prepare(dataset, config.finetuning, Path(scratch), config.finetuning.seeds[0])
    steps = schedule(len(ready.train), config.finetuning, config.finetuning.seeds[0])
    timed = measure(variants(ready, config.finetuning), steps[: arguments.steps])
    evaluation = evaluation_seconds(ready, config.attribution.sample)
    states = len(state_steps(len(steps), config.finetuning.trace_states))
    print("\n".join(report(timed, evaluation, len(steps), states, config.attribution.sample)))


def newest(datasets: Iterator[Artifact], tag: str) -> Artifact:
    """The dataset version of this tag; the newest where the code that made it has changed."""
    return max(
        (artifact for artifact in datasets if f'"{tag}"' in artifact.file("dataset.json").read_text()),
        key=lambda artifact: artifact.provenance["made_at"],
    )


def variants(ready: Prepared, config: FinetuningConfig) -> dict[str, Step]:
    """One training step each: forward, backward and update."""
    model, rows = ready.model, ready.train
    # A rate of nearly nothing: every variant sees the same model.
    optimiser = torch.optim.AdamW(model.trainable().values(), lr=1e-9, weight_decay=0.0)

    def step(indices: Sequence[int], chunks: Chunking, capturing: bool) -> None:
        opened: AbstractContextManager = capture(model) if capturing else nullcontext()
        optimiser.zero_grad()
        with opened as collector:
            for chunk in chunks(rows, indices):
                (model.row_losses(rows.collate(chunk)).sum() / config.batch_size).backward()
                if collector is not None:
                    collector.take()
        optimiser.step()

    return {
        "plain": lambda indices: step(indices, EncodedRows.chunks, False),
        "captured": lambda indices: step(indices, EncodedRows.chunks, True),
        "padded": lambda indices: step(indices, all_at_once, False),
    }


Chunking = Callable[[EncodedRows, Sequence[int]], Iterator[Sequence[int]]]


def all_at_once(rows: EncodedRows, indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """The whole batch, padded to its longest row."""
    yield indices


def measure(steps_of: Mapping[str, Step], batches: Sequence[Sequence[int]]) -> dict[str, list[float]]:
    """CPU seconds of every batch in every variant; the variant that goes first changes from batch to batch."""
    seconds: dict[str, list[float]] = {name: [] for name in steps_of}
    names = list(steps_of)
    for name in names:
        steps_of[name](batches[0])
    for number, batch in enumerate(batches):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = time.process_time()
            steps_of[name](batch)
            seconds[name].append(time.process_time() - started)
    return seconds


def evaluation_seconds(ready: Prepared, size: int) -> float:
    """Median CPU seconds of the evaluation sample's gradients at one state."""
    chosen, _ = stratified_sample(ready.evaluation.slices, size)
    sample = ready.evaluation.take(chosen)
    times = []
    for _ in range(EVALUATIONS):
        started = time.process_time()
        gradients(ready.model, sample)
        times.append(time.process_time() - started)
    return statistics.median(times)


def gradients(model: RowModel, sample: EncodedRows) -> Tensor:
    """The summed gradient, taken as attribution takes it: chunk by chunk under capture."""
    with capture(model) as collector:
        parts = [
            row_gradients(model, collector, sample.collate(chunk))[1].sum(0)
            for chunk in sample.chunks(range(len(sample)))
        ]
    return torch.stack(parts).sum(0)


def report(timed: Mapping[str, list[float]], evaluation: float, steps: int, states: int, sample: int) -> list[str]:
    """The table's lines."""
    plain, captured, padded = (statistics.median(timed[name]) for name in ("plain", "captured", "padded"))
    ratio, wider = against(timed, "captured"), against(timed, "padded")
    training = plain * steps
    return [
        f"{len(timed['plain'])} steps of each variant, one thread, torch {torch.__version__}; medians.",
        "",
        "| what | CPU time | against a plain training step |",
        "|---|---|---|",
        f"| training step: forward, backward, AdamW | {1000 * plain:.0f} ms | 1 |",
        f"| the same, every row's gradient captured | {1000 * captured:.0f} ms | {ratio:.2f} ({ratio - 1:+.0%}) |",
        f"| plain, padded to the batch's longest row instead of chunks of similar length "
        f"| {1000 * padded:.0f} ms | {wider:.2f} ({wider - 1:+.0%}) |",
        f"| one training: {steps} steps | {training:.0f} s | {steps} steps |",
        f"| evaluation gradients of {sample} rows at one state | {evaluation:.2f} s | {evaluation / plain:.1f} steps |",
        f"| at all {states} states of a run | {states * evaluation:.0f} s "
        f"| {states * evaluation / training:.2f} trainings |",
    ]


def against(timed: Mapping[str, list[float]], name: str) -> float:
    """The median over steps of this variant's time by the plain one's on the same batch."""
    return statistics.median(own / plain for own, plain in zip(timed[name], timed["plain"], strict=True))


if __name__ == "__main__":
    main()
