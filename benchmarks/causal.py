"""Shares of causal models against brute force: in-run credit, the memory, both as paid, and the last layer alone.

    tribute base make data/base
    python benchmarks/causal.py data/base DATA CACHE [--minutes 3]

DATA holds tldr/pairs.jsonl, for the third arena. Everything that is measured is kept in CACHE, and after `--minutes`
nothing new is begun: run it again to go on. Writes docs/benchmarks/causal.md of what is there.

Three arenas of real text (lib/causal_arenas.py), whose base of 12 layers is trained in its upper two, and thirty
made-up worlds (lib/causal_worlds.py). The truth is the product's rate design with names as groups: 128 trainings a
repetition for up to seven names. An arena counts where the truth's own Σ|error| is at most 0.05 and its gain at least
ten of its standard errors.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import transformers
from scipy.stats import beta

from lib.causal_answers import answer_lines
from lib.causal_arenas import ARENAS, Arena, arena, last_layer
from lib.causal_trials import FIRST_SEED, Trial, Truth
from lib.causal_worlds import FRESH, made_up
from lib.stored import OutOfTimeError, Stored
from lib.synthetic import Kind
from throughput import processor
from tribute.attribution.retraining import designs
from tribute.attribution.shares.shares import clipped_shares

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "causal.md"
REPETITIONS = 16
"""Of an arena's truth."""
NAMES: Mapping[int, int] = {4: 3, 5: 3, 7: 3}
"""How many names a made-up world has, and how many repetitions its truth."""
SHAPES: tuple[tuple[Kind, bool], ...] = tuple(
    product(("overlapping", "disjoint", "lone", "dealt", "mixed"), (False, True))
)
"""What names know, and whether they have the same number of rows."""
RATES, ENOUGH = (1.0, 2.0, 4.0), 0.94
"""Learning rates of the last layer alone, times the run's: the first that gains ENOUGH of what the run gained."""
ALONE, ALONE_FIRST = 2, 100
"""Repetitions by the last layer alone, and the first of them: none of the truth's draws."""
BUDGETS = (20, 60)
WITH_BUDGETS, WITH_ANSWERS = ARENAS, ("packages",)
"""Arenas in which retrainings correct the shares, and in which answers are explained."""
METHOD = """
*Σ|error|* is the sum of the differences between shares and true shares, 0 to 2. The truth is the product's rate
design with names as groups: 128 trainings a repetition, about 17 trainings on all rows, with seeds that no estimate
has seen. Many trainings are made at once, each with its own adapter, and give what the product's training gives
(tests/test_many_trainings.py). *As paid* is what a run with two seeds and no budget says: in-run credit of both and
the memory. The bars: 0.20 in each of three arenas for up to 6 trainings, 0.15 for 20, 0.10 for 60; 90 % intervals
hold 85 to 97 % of the truths, pooled over thirty made-up worlds or more; the interval of random tokens lies below 0,
that of shuffled responses holds their true credit; LDS per answer 0.70. An arena counts where the truth's own
Σ|error| is at most 0.05 and its gain at least ten of its standard errors.
"""
HEADS = {name: f"Arena {name}" for name in ARENAS} | {"worlds": "Made-up worlds"}
Measured = TypeVar("Measured")


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="what `tribute base make` wrote")
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--only", choices=("worlds", *ARENAS), help="measure these alone and write no page")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    stored = Stored(given.cache, 60 * given.minutes)
    names = [given.only] if given.only else [*ARENAS, "worlds"]
    lines = list(page(names, given.base.resolve(), given.data, stored))
    if given.only:
        print("\n".join(lines))
    else:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if stored.missing:
        print("more is to be measured: run it again")


def page(names: Sequence[str], base: Path, data: Path, stored: Stored) -> Iterator[str]:
    """The lines of docs/benchmarks/causal.md, of what was measured in time."""
    yield "# Shares of causal models"
    yield ""
    yield f"Written by `python benchmarks/causal.py` on {processor()}, one thread, torch {torch.__version__}."
    yield ""
    yield from METHOD.strip().splitlines()
    for name in names:
        yield ""
        yield f"## {HEADS[name]}"
        yield ""
        found = (
            (lambda: world_lines(worlds(stored))) if name == "worlds" else partial(arena_part, name, base, data, stored)
        )
        yield from in_time(lambda found=found: list(found())) or ["Not measured yet."]
    yield ""
    spent = ", ".join(f"{what} {seconds / 60:.1f}" for what, seconds in stored.spent.items())
    yield f"CPU minutes that this page took: {spent}."


def in_time(measure: Callable[[], Measured]) -> Measured | None:
    """What is measured, or None where there is no time for it."""
    try:
        return measure()
    except OutOfTimeError:
        return None


def arena_part(name: str, base: Path, data: Path, stored: Stored) -> Iterator[str]:
    """One arena's table, with as many repetitions of the truth as there was time for."""
    found = arena(name, base, data)
    trial = Trial(found.world, stored)
    evidence = trial.evidence()
    seeds = enumerate(range(FIRST_SEED, FIRST_SEED + REPETITIONS))
    kept = sum(in_time(partial(trial.repetition, number, seed)) is not None for number, seed in seeds)
    if kept < 2:
        raise OutOfTimeError
    truth = trial.truth(kept, less_luck=True)
    yield (
        f"{len(found.world.owner)} training rows, {len(found.world.sample)} evaluation rows; the loss falls by "
        f"{truth.fall.mean():.3f} nats, {truth.sure:.0f} of its standard errors. The memory gains "
        f"{evidence.stand_in.gained:.3f} of {evidence.stand_in.wanted:.3f}. Truth of {kept} repetitions, its own "
        f"Σ\\|error\\| {truth.own_error:.3f}: the arena "
        f"{'counts' if truth.own_error <= 0.05 and truth.sure >= 10 else 'does not count'}."
    )
    yield ""
    yield "| shares by | " + " | ".join(found.names) + " | Σ\\|error\\| |"
    yield "|---" * (len(found.names) + 2) + "|"
    yield line("rows", np.bincount(found.world.owner), None, "d")
    yield line("brute force", truth.shares)
    yield line("± its standard error", truth.errors)
    for method, credit in trial.methods().items():
        yield line(method, clipped_shares(credit), truth.misses(credit))
    for budget in BUDGETS if name in WITH_BUDGETS else ():
        if corrected := in_time(partial(trial.budgeted, budget)):
            method = f"… and {corrected[1]:.0f} trainings of a rate design by content"
            yield line(method, clipped_shares(corrected[0]), truth.misses(corrected[0]))
    if alone := in_time(partial(by_last_layer, trial)):
        method = f"last layer alone, {ALONE} × the rate design of names, rate × {alone[1]:g}"
        yield line(method, clipped_shares(alone[0]), truth.misses(alone[0]))
    yield ""
    yield from interval_lines(found, trial, truth)
    if name in WITH_ANSWERS:
        yield ""
        yield from in_time(lambda: list(answer_lines(trial))) or ["Per answer: not measured yet."]


def line(name: str, values: np.ndarray, error: float | None = None, form: str = ".3f") -> str:
    """A line of the table."""
    cells = [format(value, form) for value in values] + ["" if error is None else f"{error:.3f}"]
    return f"| {name} | {' | '.join(cells)} |"


def interval_lines(found: Arena, trial: Trial, truth: Truth) -> Iterator[str]:
    """Credits in nats with their intervals, beside brute force."""
    estimate = trial.estimate()
    low, high = estimate.credit - estimate.margin(0.9), estimate.credit + estimate.margin(0.9)
    true, own = truth.effects.mean(0), truth.effects.std(0, ddof=1) / np.sqrt(len(truth.effects))
    yield "Credits, nats, with 90 % intervals, and brute force ± its standard error:"
    yield ""
    yield "| | " + " | ".join(found.names) + " |"
    yield "|---" * (len(found.names) + 1) + "|"
    cells = [f"{credit:.3f} ({a:.3f} … {b:.3f})" for credit, a, b in zip(estimate.credit, low, high, strict=True)]
    yield "| as paid | " + " | ".join(cells) + " |"
    yield "| brute force | " + " | ".join(f"{a:.3f} ± {b:.3f}" for a, b in zip(true, own, strict=True)) + " |"
    yield ""


def by_last_layer(trial: Trial) -> tuple[np.ndarray, float]:
    """Credits of names by the last layer alone, and at which learning rate, times the run's, it gains what that did."""
    wanted, found = trial.evidence().gain, trial
    for rate in RATES:
        found = Trial(last_layer(trial.world, rate), trial.stored)
        if gain(found) >= ENOUGH * wanted:
            break
    effects = []
    for number in range(ALONE_FIRST, ALONE_FIRST + ALONE):
        losses = found.repetition(number, number)["losses"]
        runs = designs.rate_design(found.world.owner, number, [0])
        effects.append(designs.rate_effects(runs, -losses[2:].mean(1)))
    return np.mean(effects, axis=0), rate


def gain(trial: Trial) -> float:
    """Of the first seed, nats."""
    world = trial.world
    ends = np.stack([np.zeros(len(world.owner), bool), np.ones(len(world.owner), bool)])
    losses = trial.stored.arrays(trial.key, "gain", [], lambda: {"losses": world.losses(ends, 0, world.sample)})
    before, after = losses["losses"].mean(1)
    return float(before - after)


def worlds(stored: Stored) -> Iterator[tuple[int, Kind, bool, Trial]]:
    """All made-up worlds."""
    for number, (names, (kind, even)) in enumerate(product(NAMES, SHAPES)):
        yield names, kind, even, Trial(made_up(kind, names, even, number), stored)


def world_lines(trials: Iterator[tuple[int, Kind, bool, Trial]]) -> Iterator[str]:
    """Σ|error| and coverage, pooled."""
    rows: list[tuple[str, str, list[float]]] = []
    hits = []
    heads: Sequence[str] = []
    for names, kind, even, trial in trials:
        both = in_time(lambda trial=trial, count=NAMES[names]: (trial.truth(count), trial.methods()))
        if both is None:
            continue
        truth, methods = both
        heads = [*methods, "the truth's own error", "memory gains, of what was wanted"]
        gained = trial.evidence().stand_in
        errors = [truth.misses(credit) for credit in methods.values()]
        rows.append(
            (
                f"{names} names",
                f"{kind}, {'sizes alike' if even else 'uneven'}",
                [*errors, truth.own_error, gained.gained / gained.wanted],
            )
        )
        hits.append(covered(trial, NAMES[names]))
    if not rows:
        raise OutOfTimeError
    yield f"Σ\\|error\\| in {len(rows)} worlds of {len(NAMES) * len(SHAPES)}, means."
    yield ""
    yield "| worlds | " + " | ".join(heads) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    for place in (0, 1):
        for label in dict.fromkeys(row[place] for row in rows):
            means = np.mean([row[2] for row in rows if row[place] == label], axis=0)
            yield f"| {label} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"
    yield "| all | " + " | ".join(f"{mean:.3f}" for mean in np.mean([row[2] for row in rows], axis=0)) + " |"
    yield ""
    pooled = np.concatenate(hits, axis=1)
    added, stood = pooled.sum(1)
    count = pooled.shape[1]
    low, high = beta.ppf(0.025, added, count - added + 1), beta.ppf(0.975, added + 1, count - added)
    yield (
        f"90 % intervals of credit in nats against the truth on {FRESH} rows that no estimate has seen: "
        f"{added / count:.0%} of {count} names are covered with the truth's own error added to the interval "
        f"(Clopper–Pearson {low:.0%}–{high:.0%}), {stood / count:.0%} without; by world "
        f"{np.mean([hit[0].mean() for hit in hits]):.0%}."
    )


def covered(trial: Trial, repetitions: int) -> np.ndarray:
    """Whether the interval holds the truth on fresh rows, with its own error added and without, bool [2, names]."""
    truth, estimate = trial.truth(repetitions, fresh=True), trial.estimate()
    own = truth.effects.var(0, ddof=1) / len(truth.effects)
    quantile = estimate.margin(0.9) / estimate.errors()
    wide = np.stack([quantile * np.sqrt(estimate.errors() ** 2 + own), estimate.margin(0.9)])
    return np.abs(estimate.credit - truth.effects.mean(0)) <= wide


if __name__ == "__main__":
    main()
