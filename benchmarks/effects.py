"""Predicted effects against retraining: leaving contributors out, random removals, and the 2n design.

    python benchmarks/effects.py DATA CACHE [--arena clinc150]

DATA and CACHE as in fidelity.py. Writes docs/benchmarks/effects.md. *Exact Shapley*: all coalitions, contributors as
players. No score is held against what it was made from: see lib/effect_scores.py.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from fidelity import train_all
from lib.arena import PLANTED, Arena, arena_parser
from lib.effect_scores import effect_lines
from lib.ground_truth import SEEDS, coalitions, in_run, mean_total, removals, two_n
from lib.share_errors import distance, exact_values
from throughput import processor
from tribute.attribution.retraining import designs
from tribute.attribution.shares import shares
from tribute.finetuning.optimizers.adam import Adam

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "effects.md"


def main() -> None:
    """Collect what is missing, then report."""
    arguments = arena_parser(__doc__, PLANTED).parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    arenas = [Arena(name, arguments.data, arguments.cache) for name in arguments.arena or PLANTED]
    for arena in arenas:
        collect(arena)
    PAGE.write_text("\n".join(page(arenas)) + "\n", encoding="utf-8")


def collect(arena: Arena) -> None:
    """Every training that the report wants."""
    in_run(arena)
    for seed in range(SEEDS):
        arena.stepped(seed)
        arena.replayed(seed)
    runs = [run for seed in range(SEEDS) for run in (*removals(arena, seed), *coalitions(arena, seed))]
    train_all(arena, runs)


def page(arenas: list[Arena]) -> Iterator[str]:
    """The lines of docs/benchmarks/effects.md."""
    yield "# Effects against brute force"
    yield ""
    yield f"Written by `python benchmarks/effects.py` on {processor()}, one thread a process, ε {Adam().eps:g}."
    yield "Losses in nats; Σ of errors is over shares and runs from 0 to 2."
    for arena in arenas:
        yield ""
        yield f"## {arena.name}"
        yield ""
        yield f"{len(arena)} training rows of {len(arena.names)} contributors, {len(arena.tests)} evaluation rows; the "
        yield f"fine-tune takes {mean_total(arena):.3f} nats off the evaluation loss."
        yield ""
        yield from effect_notes(arena)
        yield ""
        yield from effect_lines(arena)
        yield from shapley_lines(arena)


def effect_notes(arena: Arena) -> Iterator[str]:
    """How to read the table of effects."""
    yield (
        "Effects against retraining. *Same run*: a seed's scores against retrainings of that seed. *Fresh seed*: "
        "scores that hold nothing of the seed whose retrainings they are held against. Means over all such pairs; LDS "
        "is the rank correlation over random removals of 20 % of the rows, and *without the planted* after what the "
        f"number of removed rows of {arena.names[-1]} explains."
    )


def shapley_lines(arena: Arena) -> Iterator[str]:
    """Contributors as players: the 2n design against all coalitions of its own seed."""
    for seed, exact in exact_values(arena).items():
        apart = distance(shares.clipped_shares(two_n(arena, seed)), shares.clipped_shares(exact))
        cost = designs.cost([run for part in designs.singles_and_leave_outs(arena.owner, seed) for run in part])
        yield ""
        yield f"2n design against exact Shapley of its own seed {seed}: Σ of errors {apart:.3f} for {cost:.0f}"
        yield "trainings beyond the fine-tune."


if __name__ == "__main__":
    main()
