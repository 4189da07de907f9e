"""Shares against the truth, by brute force: which method pays whom wrongly by how much, and at what cost.

    python benchmarks/fidelity.py DATA CACHE [--arena clinc150] [--collect-only | --report-only]

DATA holds `clinc150/` and `tldr/` as `tribute fetch` writes them; trainings are kept in CACHE, so a killed run goes on
where it was, and a second process may come to meet it with `--backwards`. Takes some hours on one core;
`--report-only` reads what is there.

Writes docs/benchmarks/fidelity.md. *Split-neutral truth*: many repetitions of a rate design
(tribute/attribution/retraining/designs.py), rows as players, and its own standard error. *Exact Shapley*: all
coalitions, contributors as players. No method is compared with what it was made from: see lib/share_errors.py and
lib/intervals.py. Effects have a page of their own: effects.py.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lib.arena import ARENAS, AT_ONCE, Arena, arena_parser
from lib.ground_truth import (
    CREDIT_SEEDS,
    SEEDS,
    Truth,
    by_contributor,
    coalitions,
    in_run,
    mean_total,
    rate_runs,
    repetitions,
    truth,
)
from lib.intervals import interval_lines
from lib.share_errors import HELD_OUT, distance_lines, shares_by_name
from throughput import processor
from tribute.attribution.retraining import designs
from tribute.attribution.shares import shares
from tribute.finetuning.optimizers.adam import Adam

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "fidelity.md"


def main() -> None:
    """Collect what is missing, then report."""
    parser = arena_parser(__doc__, ARENAS)
    parser.add_argument("--backwards", action="store_true", help="collect from the last training to the first")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--collect-only", action="store_true")
    chosen.add_argument("--report-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    arenas = [Arena(name, arguments.data, arguments.cache) for name in arguments.arena or ARENAS]
    if not arguments.report_only:
        for arena in arenas:
            collect(arena, arguments.backwards)
    if not arguments.collect_only:
        PAGE.write_text("\n".join(page(arenas)) + "\n", encoding="utf-8")


def collect(arena: Arena, backwards: bool) -> None:
    """Every training that the report wants, the most telling first."""
    for seed in range(CREDIT_SEEDS):
        arena.in_run(seed)
    for seed in range(SEEDS):
        arena.replayed(seed)
    arena.baselines(0)
    runs = [designs.Run(kept, seed) for seed in range(SEEDS) for kept in (arena.all_rows(), ~arena.all_rows())]
    runs += [run for repetition in repetitions(arena) for run in rate_runs(arena, repetition)]
    for seed in range(SEEDS):
        runs += [run for part in designs.singles_and_leave_outs(arena.owner, seed) for run in part]
    runs += coalitions(arena, 0)
    train_all(arena, runs[::-1] if backwards else runs)


def train_all(arena: Arena, runs: list[designs.Run]) -> None:
    """Those that are not in the cache."""
    for start in range(0, len(runs), AT_ONCE):
        arena.collect(runs[start : start + AT_ONCE])
        print(f"\r{arena.name}: {min(start + AT_ONCE, len(runs))} of {len(runs)} trainings", end="", flush=True)
    print()


def page(arenas: list[Arena]) -> Iterator[str]:
    """The lines of docs/benchmarks/fidelity.md."""
    yield "# Shares against brute force"
    yield ""
    yield f"Written by `python benchmarks/fidelity.py` on {processor()}, one thread a process, ε {Adam().eps:g}."
    yield "Losses in nats; Σ of errors is over shares and runs from 0 to 2."
    for arena in arenas:
        found = truth(arena)
        yield ""
        yield f"## {arena.name}"
        yield ""
        sizes = ", ".join(f"{name} {count}" for name, count in zip(arena.names, np.bincount(arena.owner), strict=True))
        yield f"{len(arena)} training rows ({sizes}), {len(arena.tests)} evaluation rows; the fine-tune takes"
        yield f"{mean_total(arena):.3f} nats off the evaluation loss."
        yield ""
        yield from truth_lines(arena, found)
        yield ""
        yield from distance_notes(arena, found)
        yield ""
        yield from distance_lines(arena, found)
        yield ""
        yield from interval_lines(arena, found)


def truth_lines(arena: Arena, found: Truth) -> Iterator[str]:
    """The split-neutral truth with its own error, beside in-run's mean over all seeds and the stand-in."""
    in_run_shares = shares.clipped_shares(by_contributor(arena.owner, in_run(arena).mean(0)))
    sums = ", ".join(f"{one:.2f}" for one in found.effects.sum(1))
    yield (
        f"Split-neutral shares from {len(found.effects)} repetitions of the rate design. Before they are scaled to the "
        f"measured total, they sum to {sums} of it (mean {found.effects.sum(1).mean():.2f})."
    )
    yield ""
    yield "| contributor | rows | truth | ± | in-run | stand-in |"
    yield "|---" * 6 + "|"
    stand_in = shares.clipped_shares(shares_by_name(arena))
    for place, name in enumerate(arena.names):
        true, error = found.shares()[place], found.errors()[place]
        rows = int((arena.owner == place).sum())
        cells = (true, error, in_run_shares[place], stand_in[place])
        yield f"| {name} | {rows} | " + " | ".join(f"{one:.3f}" for one in cells) + " |"


def distance_notes(arena: Arena, found: Truth) -> Iterator[str]:
    """How to read the table of distances."""
    # A normal error is √(2/π) of its standard deviation on average.
    own = float(np.sqrt(2 / np.pi) * found.errors().sum())
    count = len(found.effects)
    yield (
        f"Distances are Σ of errors of the shares. All methods are held against the same truths: those of every "
        f"{count - HELD_OUT} of the {count} repetitions, of which a method has used none, and the exact Shapley values "
        f"of single seeds that a method has not used (a repetition mixes seeds 0 to {SEEDS - 1}, so rate designs "
        f"share seeds with both). The truth itself is off: by about {own:.3f} where all repetitions make it, and by "
        f"{own * np.sqrt(count / (count - HELD_OUT)):.3f} where {count - HELD_OUT} do. Trainings are in all, the "
        f"fine-tune's own included; in-run takes {1 + arena.costs['walk']:.2f} a seed where {len(arena.tests)} "
        f"evaluation rows meet {len(arena)} trained ones, and the stand-in's credits {arena.costs['stand_in']:.2f}. "
        "Off a repetition is taken what the stand-in says of the drawn rows, less its credits, as Tribute does; off "
        "the truth the same, less what it says of other draws on average. These repetitions vary names, those of a "
        "run groups of rows. A rate design's tries overlap: no more than "
        f"{count} are independent."
    )


if __name__ == "__main__":
    main()
