"""Who moved one answer: predicted loss against retraining, and what the index costs.

    python benchmarks/answers.py DATA CACHE [--arena clinc150] [--rows 1000000]
    python benchmarks/answers.py DATA CACHE --arena docs --shares     # shares of 50 answers against all coalitions

DATA and CACHE as in fidelity.py; trainings that are not in the cache are made (107 for each arena and seed, some ten
minutes on one idle core). Writes docs/benchmarks/answers.md. The index of `--rows` rows is of random bytes, on disk, in
a folder that is removed; its query is timed after one that brought it into the page cache.
"""

import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lib.answer_shares import shares_lines
from lib.arena import PLANTED, Arena, arena_parser
from lib.ground_truth import removals
from lib.pages import put_section
from throughput import processor
from tribute.attribution.answers.damping import DAMPINGS, linear_datamodelling_score, pick_damping
from tribute.attribution.answers.row_index import ROWS_PER_SHARD, SHARDS, TENSORS, WIDTH, Index, quantise, word_sum
from tribute.attribution.card.metrics import rank_correlation, residual, slope
from tribute.attribution.effects.baselines import mean_bm25
from tribute.attribution.gradients.curvature import Curvature, fit, midpoints
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.attribution.gradients.tensors import save_checked

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "answers.md"
SEEDS, PICKED_ON = 2, 8
WIDTHS = (2048, 3072, WIDTH)


def main() -> None:
    """Measure and write."""
    parser = arena_parser(__doc__, PLANTED)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shares", action="store_true", help="only the sections of answers' shares")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    if arguments.shares:
        for name in arguments.arena or PLANTED:
            text = "\n".join(shares_lines(Arena(name, arguments.data, arguments.cache)))
            put_section(PAGE, f"{name}: shares of single answers", text)
            print(text, flush=True)
        return
    lines = [
        "# Answers against retraining",
        "",
        f"Measured on {processor()}, one thread, torch {torch.__version__}.",
        "",
    ]
    lines += speed(arguments.rows, arguments.cache)
    for name in arguments.arena or PLANTED:
        lines += ["", *report(Arena(name, arguments.data, arguments.cache))]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Indexed:
    """One seed's training on all rows, with its rows' mean gradients and its answers' gradients."""

    arena: Arena
    seed: int
    curvature: Curvature
    rows: torch.Tensor
    answers: torch.Tensor

    @classmethod
    def of(cls, arena: Arena, seed: int) -> "Indexed":
        """Train, and measure as indexing.py does."""
        model, training = arena.trained(arena.all_rows(), seed)
        trace = training.trace
        curvature = fit(model, arena.train_rows, midpoints(trace), trace.metric, seed)
        rows = torch.zeros(len(arena), len(curvature.metric))
        for chunk, gradients in row_gradients_of(model, arena.train_rows, range(len(arena)), midpoints(trace)):
            rows[chunk] = gradients
        answers = torch.zeros(len(arena.tests), len(curvature.metric))
        for chunk, gradients in row_gradients_of(
            model, arena.evaluation, range(len(arena.tests)), [trace.states[-1].theta]
        ):
            answers[chunk] = gradients
        return cls(arena, seed, curvature, rows, answers)

    def scores(self, damping: float) -> np.ndarray:
        """Each row's score for each answer, [rows, answers]."""
        return (self.rows @ self.curvature.precondition(self.answers, damping).T).double().numpy() / len(self.rows)

    @cached_property
    def by_damping(self) -> Mapping[float, np.ndarray]:
        """`scores` of the whole grid."""
        return {damping: self.scores(damping) for damping in DAMPINGS}

    def from_index(self, damping: float, width: int) -> np.ndarray:
        """The same read from an index of this width."""
        kept, scales = quantise(self.curvature.coordinates(self.rows, width))
        asked, levels = quantise(
            self.curvature.coordinates(self.answers, width) * self.curvature.weights(damping, width)
        )
        exact = (kept.float() * scales[:, None]) @ (asked.float() * levels[:, None]).T
        return exact.double().numpy() / len(self.rows)


@dataclass(frozen=True)
class Measured:
    """What retraining without some rows did, [retrainings, answers], and which rows these were, [retrainings, rows]."""

    removed: np.ndarray
    losses: np.ndarray
    left_out: np.ndarray
    effects: np.ndarray

    @classmethod
    def of(cls, arena: Arena, seed: int) -> "Measured":
        """Random removals, and every contributor left out."""
        runs, whole = removals(arena, seed), arena.losses(arena.all_rows(), seed)
        out = np.stack([arena.owner == one for one in range(len(arena.names))])
        effects = np.stack([arena.losses(~one, seed) - whole for one in out])
        losses = np.stack([arena.losses(run.kept, seed) for run in runs])
        return cls(np.stack([~run.kept for run in runs]).astype(float), losses, out.astype(float), effects)

    def unpicked(self) -> "Measured":
        """The same less the removals that the damping was picked on."""
        return replace(self, removed=self.removed[PICKED_ON:], losses=self.losses[PICKED_ON:])


def report(arena: Arena) -> Iterator[str]:
    """The tables of one arena."""
    own, shown = Indexed.of(arena, 0), Measured.of(arena, 0)
    picked = pick_damping(
        {damping: (shown.removed @ one)[:PICKED_ON] for damping, one in own.by_damping.items()},
        shown.losses[:PICKED_ON],
    )
    measured = [shown.unpicked(), *(Measured.of(arena, seed).unpicked() for seed in range(1, SEEDS))]
    exact = own.by_damping[picked.damping]
    yield f"## {arena.name}"
    yield ""
    yield (
        f"{len(arena)} rows, {len(arena.names)} contributors, {len(arena.tests)} answers, "
        f"{own.rows.shape[1]:,} trained parameters. LDS: rank correlation over {len(measured[0].losses)} random "
        f"removals of 20 % of the rows between predicted and retrained loss; the damping was picked on {PICKED_ON} "
        "others. *Without harm*: after what the number of removed rows of the harmful contributor explains. Slope: "
        "measured by predicted effect on the mean loss of leaving a contributor out."
    )
    yield ""
    yield (
        "| score | LDS per answer | without harm | fresh seed | LDS of the mean loss | without harm | "
        "leave-one-out per answer, rank | mean loss, rank | slope |"
    )
    yield "|---" * 9 + "|"
    scores = {
        f"**Gauss–Newton, damping {picked.damping:.3g} picked on {PICKED_ON}**": picked.slope * exact,
        f"the same read from the index ({WIDTH} bytes)": picked.slope * own.from_index(picked.damping, WIDTH),
        "gradient dot product": (own.rows @ own.answers.T).double().numpy(),
        "rows with the answer's label counted": same_label(arena),
        "BM25": lexical(arena),
    }
    for name, one in scores.items():
        yield line(name, one, measured)
    yield line("ceiling: the other seed's retrainings", None, measured)
    yield ""
    yield "| damping, times the mean eigenvalue | " + " | ".join(f"{one:.3g}" for one in DAMPINGS) + " |"
    yield "|---" * (len(DAMPINGS) + 1) + "|"
    kept, losses = measured[0].removed, measured[0].losses
    per_answer = [linear_datamodelling_score(kept @ one, losses) for one in own.by_damping.values()]
    yield "| LDS per answer | " + " | ".join(f"{one:.3f}" for one in per_answer) + " |"
    yield ""
    yield "| bytes a row in the index | correlation with the exact scores of an answer's rows | rank | of the 10 best |"
    yield "|---|---|---|---|"
    for width in WIDTHS:
        yield index_line(width, own.from_index(picked.damping, width), exact)


def line(name: str, scores: np.ndarray | None, measured: Sequence[Measured]) -> str:
    """One score's line; scores [rows, answers], or None for what the other seed measured."""
    own, fresh = measured[0], measured[1]
    predicted = fresh.losses if scores is None else own.removed @ scores
    without = fresh.effects if scores is None else own.left_out @ scores
    harm = own.removed[:, own.left_out[-1] > 0].sum(1)
    mean, mean_losses = predicted.mean(1, keepdims=True), own.losses.mean(1, keepdims=True)
    cells = [
        linear_datamodelling_score(predicted, own.losses),
        linear_datamodelling_score(residual(predicted, harm), residual(own.losses, harm)),
        None if scores is None else linear_datamodelling_score(predicted, fresh.losses),
        linear_datamodelling_score(mean, mean_losses),
        linear_datamodelling_score(residual(mean, harm), residual(mean_losses, harm)),
        linear_datamodelling_score(without, own.effects),
        rank_correlation(without.mean(1), own.effects.mean(1)),
        slope(without.mean(1), own.effects.mean(1)) if "Gauss" in name or "index" in name else None,
    ]
    return f"| {name} | " + " | ".join("–" if one is None or np.isnan(one) else f"{one:.3f}" for one in cells) + " |"


def same_label(arena: Arena) -> np.ndarray:
    """1 where row and answer have the same label, [rows, answers]."""
    return np.array([[float(row.label == test.label) for test in arena.tests] for row in arena.rows])


def lexical(arena: Arena) -> np.ndarray:
    """BM25 of each row for each answer, text and label, [rows, answers]."""
    texts = [f"{row.text}\n{row.label}" for row in arena.rows]
    return np.stack([mean_bm25(texts, [f"{test.text}\n{test.label}"]) for test in arena.tests], axis=1)


def index_line(width: int, found: np.ndarray, exact: np.ndarray) -> str:
    """Means over the answers."""
    answers = range(exact.shape[1])
    close = np.mean([np.corrcoef(found[:, one], exact[:, one])[0, 1] for one in answers])
    best = [len({*found[:, one].argsort()[-10:]} & {*exact[:, one].argsort()[-10:]}) / 10 for one in answers]
    return f"| {width} | {close:.3f} | {linear_datamodelling_score(found, exact):.3f} | {np.mean(best):.2f} |"


def speed(rows: int, cache: Path) -> Iterator[str]:
    """A query of a large index, and the product that gives the contributors of an answer."""
    folder = Path(tempfile.mkdtemp(dir=cache))
    try:
        some = torch.randint(-127, 128, (ROWS_PER_SHARD, WIDTH), dtype=torch.int8)
        (folder / SHARDS).mkdir()
        for number, start in enumerate(range(0, rows, ROWS_PER_SHARD)):
            part, scales = some[: rows - start].roll(number, 1), torch.ones(min(ROWS_PER_SHARD, rows - start))
            total = torch.tensor(word_sum(part.numpy(), scales.numpy(), start))
            tensors = dict(zip(TENSORS, (part, scales, total), strict=True))
            save_checked(folder / SHARDS / f"{number:06d}.safetensors", tensors)
        del some, part
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        timed = [_seconds(Index(folder, rows, ROWS_PER_SHARD).scores, torch.randn(WIDTH)) for _ in range(4)][1:]
    finally:
        shutil.rmtree(folder)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    vectors, gradient = torch.randn(1000, 110_592), torch.randn(110_592)
    product = min(_seconds(vectors.mv, gradient)[0] for _ in range(5))
    yield "| what | CPU seconds | on the clock | peak resident memory |"
    yield "|---|---|---|---|"
    yield (
        f"| one query of {rows:,} rows on disk, checked for damage on the way | {min(one[1] for one in timed):.2f} | "
        f"{min(one[0] for one in timed):.2f} | {after:.0f} MB (before the query {before:.0f} MB) |"
    )
    yield f"| the scores of 1,000 contributors, 110,592 parameters | | {product * 1000:.0f} ms | |"


def _seconds(work, *arguments) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - clock, time.process_time() - cpu


if __name__ == "__main__":
    main()
