"""Attribution against the truth, by brute force: which method pays whom wrongly by how much, and at what cost.

    python benchmarks/fidelity.py DATA CACHE [--arena clinc150] [--collect-only | --report-only]

DATA holds `clinc150/` as `tribute fetch clinc150` writes it; trainings are kept in CACHE, so a killed run goes on
where it was and two processes may collect at once. Takes some hours on one core; `--report-only` reads what is there.

Writes docs/benchmarks/fidelity.md. *Split-neutral truth*: many repetitions of a rate design (tribute/attribution/
designs.py), rows as players, and its own standard error. *Exact Shapley*: all coalitions, contributors as players.
Methods that use retraining are scored against repetitions that they have not seen.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from arena import ARENAS, Arena
from brute import (
    CREDIT_SEEDS,
    REPETITIONS,
    SEEDS,
    Truth,
    by_contributor,
    coalitions,
    coverage,
    done,
    exact_shapley,
    in_run,
    mean_total,
    methods,
    rate_runs,
    removals,
    truth,
    two_n,
)
from throughput import processor

from tribute.attribution import designs, measures
from tribute.finetuning.adam import Adam

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "fidelity.md"


def main() -> None:
    """Collect what is missing, then report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--arena", choices=ARENAS, action="append")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--collect-only", action="store_true")
    chosen.add_argument("--report-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    arenas = [Arena(name, arguments.data, arguments.cache) for name in arguments.arena or ARENAS]
    if not arguments.report_only:
        for arena in arenas:
            collect(arena)
    if not arguments.collect_only:
        PAGE.write_text("\n".join(page(arenas)) + "\n", encoding="utf-8")


def collect(arena: Arena) -> None:
    """Every training that the report wants, the most telling first."""
    for seed in range(CREDIT_SEEDS):
        arena.credited(arena.all_rows(), seed)
    for seed in range(SEEDS):
        arena.replayed(seed)
    runs = [designs.Run(kept, seed) for seed in range(SEEDS) for kept in (arena.all_rows(), ~arena.all_rows())]
    for seed in range(SEEDS):
        runs += [run for part in designs.singles_and_leave_outs(arena.owner, seed) for run in part]
    rates = [rate_runs(arena, repetition) for repetition in range(REPETITIONS)]
    runs += [run for part in rates[: REPETITIONS // 2] for run in part]
    runs += [run for seed in range(SEEDS) for run in removals(arena, seed)]
    runs += [run for part in rates[REPETITIONS // 2 :] for run in part]
    runs += [run for seed in range(SEEDS) for run in coalitions(arena, seed)]
    for number, run in enumerate(runs, 1):
        arena.losses(run.kept, run.seed)
        print(f"\r{arena.name}: {number} of {len(runs)} trainings", end="", flush=True)
    print()


def left_out(arena: Arena, seed: int) -> np.ndarray:
    """The effect of leaving each contributor out, nats, [contributors]."""
    runs = designs.singles_and_leave_outs(arena.owner, seed)[1]
    return np.array([arena.utility(arena.all_rows(), seed) - arena.utility(run.kept, seed) for run in runs])


def effect_lines(arena: Arena) -> Iterator[str]:
    """Leave-one-out and random removals: replay and the simple scores against real retraining."""
    seeds = [seed for seed in range(SEEDS) if done(arena, removals(arena, seed))]
    effects = np.stack([left_out(arena, seed) for seed in range(SEEDS)])
    harmful = np.isin(arena.owner, np.flatnonzero(by_contributor(arena, in_run(arena).mean(0)) < 0))
    replays = np.stack([arena.replayed(seed) for seed in range(SEEDS)])
    scores = {
        "**replay, the same seed**": replays[0],
        "replay, mean of the other seeds": replays[1:].mean(0),
        "in-run, mean of seeds": in_run(arena).mean(0),
        "rows counted": np.ones(len(arena)),
        "rows of harmful contributors counted": -harmful.astype(float),
    }
    stays = np.stack([run.kept for run in removals(arena, 0)]).astype(float)
    measured = {seed: np.array([arena.utility(run.kept, seed) for run in removals(arena, seed)]) for seed in seeds}
    noisy = stays @ harmful
    yield "| score | leave-one-out, rank | slope | LDS, same seed | without the harmful | LDS, fresh seeds |"
    yield "|---|---|---|---|---|---|"
    for name, score in scores.items():
        predicted, sums = stays @ score, by_contributor(arena, score)
        same = measures.rank_correlation(predicted, measured[0]) if 0 in measured else None
        clean = measures.rank_correlation(less(predicted, noisy), less(measured[0], noisy)) if 0 in measured else None
        fresh = [one for seed in seeds if seed if (one := measures.rank_correlation(predicted, measured[seed]))]
        cells = [
            measures.rank_correlation(sums, effects[0]),
            measures.slope(sums, effects[0]),
            same,
            clean,
            float(np.mean(fresh)) if fresh else None,
        ]
        yield f"| {name} | " + " | ".join("–" if cell is None else f"{cell:.2f}" for cell in cells) + " |"
    ceiling, between = measures.pairwise(list(effects)), measures.pairwise(list(measured.values()))
    shown = "–" if between is None else f"{between:.2f}"
    yield f"| ceiling: seed against seed | {ceiling:.2f} | – | – | – | {shown} |"


def less(values: np.ndarray, regressor: np.ndarray) -> np.ndarray:
    """What is left of `values` after a straight line on `regressor`."""
    return np.asarray(values - np.polyval(np.polyfit(regressor, values, 1), regressor)) if np.ptp(regressor) else values


def page(arenas: list[Arena]) -> Iterator[str]:
    """The lines of docs/benchmarks/fidelity.md."""
    yield "# Attribution against brute force"
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
        yield "| method | trainings | Σ of errors | ± between tries | tries |"
        yield "|---|---|---|---|---|"
        for one in methods(arena, found):
            if one.tries:
                yield f"| {one.name} | {one.trainings:.0f} | {one.error:.3f} | {one.spread:.3f} | {one.tries} |"
        yield ""
        yield from interval_lines(arena, found)
        yield ""
        yield from effect_lines(arena)
        yield from shapley_lines(arena)


def truth_lines(arena: Arena, found: Truth) -> Iterator[str]:
    """The split-neutral truth with its own error, beside in-run's mean over all seeds."""
    in_run_shares = measures.clipped_shares(by_contributor(arena, in_run(arena).mean(0)))
    yield f"Split-neutral shares from {len(found.repetitions)} repetitions of the rate design:"
    yield ""
    yield "| contributor | rows | truth | ± | in-run |"
    yield "|---|---|---|---|---|"
    for place, name in enumerate(arena.names):
        true, error = found.shares()[place], found.errors()[place]
        rows = int((arena.owner == place).sum())
        yield f"| {name} | {rows} | {true:.3f} | {error:.3f} | {in_run_shares[place]:.3f} |"


def interval_lines(arena: Arena, found: Truth) -> Iterator[str]:
    """Coverage of the 90 % intervals."""
    trials, unseen, seeds = coverage(arena, found)
    if trials:
        yield f"90 % intervals held the truth of unseen repetitions in {unseen:.0%} of {trials} trials."
    yield f"In-run intervals from two seeds held the mean of the other seeds in {seeds:.0%} of trials."


def shapley_lines(arena: Arena) -> Iterator[str]:
    """Contributors as players: the 2n design against all coalitions."""
    for seed in range(SEEDS):
        exact = exact_shapley(arena, seed)
        if exact is not None:
            distance = np.abs(measures.clipped_shares(two_n(arena, seed)) - measures.clipped_shares(exact)).sum()
            cost = designs.cost([run for part in designs.singles_and_leave_outs(arena.owner, seed) for run in part])
            yield ""
            yield f"2n design against exact Shapley, seed {seed}: Σ of errors {distance:.3f} for {cost:.0f} trainings."


if __name__ == "__main__":
    main()
