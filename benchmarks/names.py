"""Names: what changes when the same rows are dealt to others, and how far shares are right for many and few of them.

    python benchmarks/names.py DATA CACHE [--arena clinc150]

DATA and CACHE as in fidelity.py, whose trainings of all rows and truths are read; beside them thirty synthetic worlds
with a truth of their own (lib/synthetic.py). What is measured is kept in CACHE, so another estimator is compared in a
minute; from nothing it takes about half an hour on one core. Writes docs/benchmarks/names.md.
"""

import warnings
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
import transformers
from scipy.stats import beta

from lib.arena import ARENAS, Arena, arena_parser
from lib.arena_data import DEALS, honest_deals
from lib.equal_work import brute_force_lines
from lib.ground_truth import SEEDS, complete, truth
from lib.junk_names import junk_lines
from lib.noise_sources import noise_lines
from lib.row_evidence import Evidence, of_arena, paid
from lib.stored import Stored
from lib.synthetic import EQUAL, FRESH, SAMPLE, Kind
from lib.synthetic_trials import TRUTH_RUNS, Trial
from lib.witness_weights import retraining_lines, weight_lines
from throughput import processor
from tribute.attribution.shares.shares import clipped_shares

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "names.md"
NAMES = (4, 7, 12, 20, 36)
SHAPES: tuple[tuple[Kind, bool], ...] = tuple(product(("overlapping", "disjoint"), (False, True)))
SHAPES += (("lone", False), ("dealt", True))
"""What names know, and whether they have the same number of rows."""
KEPT_BACK, FIRST_KEPT_BACK = tuple(product((5, 9, 15), (False, True))), (50, 40)
"""Worlds in which nothing was chosen: how many names, and whether they have the same number of rows; first numbers."""
EQUAL_NAMES, FIRST_EQUAL = (4, 4, 4, 7, 7, 7), 60
"""Dealt worlds for equal work: how many names; first number."""
ARITHMETIC = ("DEFAULT", "AVX2", "AVX512")
"""What torch calls the instructions that ATEN_CPU_CAPABILITY leaves it."""
EQUAL_IN_ARENAS = 7
"""Names of an arena of equal names."""
BUDGETS = (0, 20, 60)
SIZES = (60, 8)


def main() -> None:
    """Measure and write the page."""
    parser = arena_parser(__doc__, ARENAS)
    parser.add_argument("--sums", action="store_true", help="only in-run's sum under the present ATEN_CPU_CAPABILITY")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    arenas, dealt = (
        [Arena(name, arguments.data, arguments.cache, names) for name in arguments.arena or ARENAS]
        for names in (0, EQUAL_IN_ARENAS)
    )
    if arguments.sums:
        print(*(arena.misses_by(torch.backends.cpu.get_cpu_capability()) for arena in arenas))
        return
    stored = Stored(arguments.cache / "worlds", np.inf)
    PAGE.write_text("\n".join(page(arenas, dealt, stored)) + "\n", encoding="utf-8")


def page(arenas: Sequence[Arena], equal_arenas: Sequence[Arena], stored: Stored) -> Iterator[str]:
    """The lines of docs/benchmarks/names.md."""
    yield "# Names"
    yield ""
    yield f"Written by `python benchmarks/names.py` on {processor()}, one thread. Two seeds unless stated."
    yield ""
    yield from arena_lines(arenas)
    yield ""
    yield from sum_lines(arenas)
    yield ""
    yield from brute_force_lines(equal_arenas)
    worlds = [(*shape, names, number) for number, (names, shape) in enumerate(product(NAMES, SHAPES))]
    trials = [Trial(*world, stored) for world in worlds]
    equal = [Trial("dealt", True, names, number, stored) for number, names in enumerate(EQUAL_NAMES, FIRST_EQUAL)]
    yield ""
    yield from world_lines(trials)
    yield ""
    yield from equal_lines(equal)
    yield ""
    yield from noise_lines(equal)
    yield ""
    yield from coverage_lines(trials)
    yield ""
    yield from junk_lines(stored)
    yield ""
    yield from weight_lines(trials, NAMES)
    yield ""
    yield from retraining_lines(trials, BUDGETS[1:])
    yield ""
    yield from kept_back_lines(stored)


def kept_back_lines(stored: Stored) -> Iterator[str]:
    """Σ|error| and coverage in worlds that were named before the estimator was changed."""
    yield "## Kept back"
    yield ""
    yield (
        "Worlds in which nothing was chosen. Each name has one label of its own and a random quarter of all modes, and "
        "every third has wrong labels. Numbers 50 to 55 were named before any of their figures was seen. They were "
        "looked at when witnesses were weighed by their variances (0.256, 0.298 and 0.232 at 5, 9 and 15 names), and "
        "once more after the mean that like rows are pulled to was weighed, too, which the thirty worlds had decided. "
        "Numbers 40 to 45 were looked at as often, and once before, with the stand-in at 1.5 times in-run credit "
        "(0.143, 0.323, 0.349 against truths of 2,048 trainings; then 0.134, 0.300, 0.328)."
    )
    for first in FIRST_KEPT_BACK:
        trials = [Trial("mixed", even, names, number, stored) for number, (names, even) in enumerate(KEPT_BACK, first)]
        yield ""
        yield f"Numbers {first} to {first + len(trials) - 1}:"
        yield ""
        yield from table_heads((0,))
        for names in dict.fromkeys(names for names, _ in KEPT_BACK):
            yield world_line(f"{names} names", [one for one in trials if one.names == names], (0,))
        yield ""
        hits = np.concatenate([covered(one, 0) for one in trials], axis=1)
        yield f"90 % intervals without a budget hold {hits[0].mean():.0%} of {hits.shape[1]} truths."


def arena_lines(arenas: Sequence[Arena]) -> Iterator[str]:
    """Relabelling, sums, equal work and κ in the arenas."""
    yield "## The same rows under other names"
    yield ""
    yield (
        f"*Relabelling*: the largest change of a cell of the table of row × seed, and of a row's credit, relative to "
        f"the largest cell, over deals to {', '.join(map(str, NAMES))} names at random and by label. *Sums*: each "
        "witness's own sum ÷ gain − 1, before any combination, the worst of the seeds. *Equal work*: names of "
        f"{EQUAL} honest rows dealt at random, the standard deviation of what they get ÷ its mean, over {DEALS} deals "
        f"and all pairs of {SEEDS} seeds. *κ = 1 keeps*: the part of a name's share that is left after one standard "
        "error is taken off every name and the rest normalised; in brackets before it is normalised. *Σ|error|*: of "
        "shares of the real names against brute force, mean over the pairs of seeds; in brackets the truth's own error "
        "and how many repetitions of the rate design it has; – where fewer than two were collected (fidelity.py)."
    )
    yield ""
    heads = ["relabelling", "sum: in-run", "stand-in", "equal work: in-run", "stand-in", "both", "both, κ = 1"]
    heads += [f"κ = 1 keeps of {size} rows" for size in SIZES] + ["Σ\\|error\\|"]
    yield "| arena | " + " | ".join(heads) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    for arena in arenas:
        evidence = [of_arena(arena, pair) for pair in combinations(range(SEEDS), 2)]
        in_run = max((walk.mismatch for one in evidence for walk in one.walks), key=abs)
        stand_in = arena.stand_in.credit.sum() / arena.stand_in.gained - 1
        cells = [f"{relabelled(evidence[0]):.0e}", f"{in_run:+.2%}", f"{stand_in:+.3%}"]
        cells += [f"{scatter:.2f}" for scatter in equal_work(arena, evidence)]
        cells += [f"{after:.0%} ({before:.0%})" for before, after in kept_by_size(arena, evidence)]
        cells.append(held_against_truth(arena, evidence))
        yield f"| {arena.name} | " + " | ".join(cells) + " |"


def sum_lines(arenas: Sequence[Arena]) -> Iterator[str]:
    """In-run's own sum by the instructions that torch has."""
    yield (
        "In-run's own sum ÷ gain − 1 of seed 0, trained and walked anew under each `ATEN_CPU_CAPABILITY` "
        "(`python benchmarks/names.py DATA CACHE --sums`); – where not measured:"
    )
    yield ""
    yield "| arena | " + " | ".join(name.lower() for name in ARITHMETIC) + " |"
    yield "|---" * (len(ARITHMETIC) + 1) + "|"
    for arena in arenas:
        found = [arena.misses_by(name) for name in ARITHMETIC]
        yield f"| {arena.name} | " + " | ".join("–" if one is None else f"{one:+.2%}" for one in found) + " |"


def held_against_truth(arena: Arena, evidence: Sequence[Evidence]) -> str:
    """Σ|error| by brute force, mean over pairs of seeds, what the truth's own error adds, and its repetitions."""
    if len(complete(arena)) < 2:
        return "–"
    found = truth(arena)
    shares, own = found.shares(), float(np.sqrt(2 / np.pi) * found.errors().sum())
    credits = [one.by_row().named(arena.owner).credit for one in evidence]
    errors = [float(np.abs(clipped_shares(credit) - shares).sum()) for credit in credits]
    return f"{np.mean(errors):.3f} ({own:.3f}, {len(found.effects)})"


def relabelled(evidence: Evidence) -> float:
    """The largest relative change of the table, of rows' credits and of merged names' credits under any deal."""
    count = len(evidence.labels)
    _, labels = np.unique(np.array(evidence.labels), return_inverse=True)
    whole = evidence.by_row()
    worst = 0.0
    for names in NAMES:
        for owner in (np.random.Generator(np.random.Philox([names, 6])).integers(names, size=count), labels % names):
            dealt = evidence.by_row()
            moved = [dealt.table.credit - whole.table.credit, dealt.credit - whole.credit]
            moved.append(dealt.named(owner).credit.sum() - whole.named(0 * owner).credit)
            worst = max(worst, *(float(np.abs(part).max()) for part in moved))
    return worst / float(np.abs(whole.table.credit).max())


def equal_work(arena: Arena, evidence: Sequence[Evidence]) -> list[float]:
    """Scatter ÷ mean of equal names' credit by in-run, by the stand-in and by both, and of their pay at κ = 1."""
    scatters = []
    for one, (owner, dealt) in product(evidence, honest_deals(arena.contributors, EQUAL)):
        estimate = one.by_row().named(owner)
        in_run = np.mean([walk.credit * walk.scale for walk in one.walks], axis=0)
        sums = [np.bincount(owner, weights=credit) for credit in (in_run, one.stand_in.credit)]
        sums += [estimate.credit, paid(estimate)]
        scatters.append([total[:dealt].std(ddof=1) / total[:dealt].mean() for total in sums])
    return [float(value) for value in np.mean(scatters, axis=0)]


def kept_by_size(arena: Arena, evidence: Sequence[Evidence]) -> list[tuple[float, float]]:
    """What κ = 1 keeps of names of both sizes together, before and after normalising."""
    kept: list[list[tuple[float, float]]] = [[] for _ in SIZES]
    rows = [one.by_row() for one in evidence]
    for one, (owner, dealt) in product(rows, honest_deals(arena.contributors, *SIZES)):
        estimate = one.named(owner)
        credit, pay = np.maximum(estimate.credit, 0), paid(estimate)
        for place in range(len(SIZES)):
            mine = np.arange(dealt) % len(SIZES) == place
            part = float(pay[:dealt][mine].sum() / credit[:dealt][mine].sum())
            kept[place].append((part, part * float(credit.sum() / pay.sum())))
    before_and_after = [np.mean(parts, axis=0) for parts in kept]
    return [(float(before), float(after)) for before, after in before_and_after]


def world_lines(trials: Sequence[Trial]) -> Iterator[str]:
    """Σ|error| by how many names there are and by what they know."""
    sums = [abs(one.evidence.stand_in.credit.sum() / one.evidence.stand_in.gained - 1) for one in trials]
    walks = [abs(walk.mismatch) for one in trials for walk in one.evidence.walks]
    yield "## Thirty synthetic worlds"
    yield ""
    yield (
        f"Σ|error| of shares (0 to 2) against a truth of {TRUTH_RUNS:,} trainings per world or more, in "
        f"{len(NAMES) * len(SHAPES)} worlds, on the {SAMPLE} evaluation rows that the estimates have. *Alone*: one "
        "witness without the other. Retrainings beyond the two seeds' own: "
        + ", ".join(f"{np.mean([one.seen(budget)[1] for one in trials]):.0f}" for budget in BUDGETS)
        + f" on average for a budget of {', '.join(map(str, BUDGETS))}. The sum of in-run's credits misses the gain by "
        f"{max(walks):.1%} at most ({np.mean(walks):.1%} on average), the stand-in's by {max(sums):.2%}."
    )
    yield ""
    yield from table_heads()
    for names in NAMES:
        yield world_line(f"{names} names", [one for one in trials if one.names == names])
    for kind, even in SHAPES:
        chosen = [one for one in trials if (one.kind, one.even) == (kind, even)]
        yield world_line(f"{kind}, {'sizes alike' if even else '8 to 260 rows'}", chosen)


def equal_lines(trials: Sequence[Trial]) -> Iterator[str]:
    """How far pay for equal work is from the true shares."""
    missed = [one.names * (clipped_shares(paid(one.estimate())) - one.true()) for one in trials]
    own = [one.true_error() / np.sqrt(2 / np.pi) for one in trials]
    unpaid = sum(int(((paid(one.estimate()) <= 0) & (one.true() > 0)).sum()) for one in trials)
    yield (
        f"Equal work: in dealt worlds {FIRST_EQUAL} to {FIRST_EQUAL + len(trials) - 1}, of "
        f"{', '.join(str(one.names) for one in trials)} names of {EQUAL} rows, pay at κ = 1 less the true share, ÷ the "
        f"mean share, has standard deviations of {', '.join(f'{part.std(ddof=1):.2f}' for part in missed)} (root mean "
        f"square {np.sqrt(np.mean([part.var(ddof=1) for part in missed])):.2f}; the truth's own error "
        f"{np.sqrt(np.mean(np.square(own))):.2f}). With a true share above 0 and no pay: {unpaid} of "
        f"{sum(one.names for one in trials)}."
    )


def table_heads(budgets: Sequence[float] = BUDGETS) -> Iterator[str]:
    """The columns of `world_line`."""
    yield (
        "| worlds | in-run alone | stand-in alone | "
        + " | ".join(f"budget {budget}" for budget in budgets)
        + (" | rows counted | the truth's own error | paid nothing, true share above 1 % |")
    )
    yield "|---" * (len(budgets) + 6) + "|"


def world_line(name: str, trials: Sequence[Trial], budgets: Sequence[float] = BUDGETS) -> str:
    """Means over worlds."""
    errors = np.mean(
        [[*alone(one), *budgeted(one, budgets), rows_counted(one), one.true_error()] for one in trials], axis=0
    )
    unpaid = sum(int(((paid(one.estimate()) <= 0) & (one.true() > 0.01)).sum()) for one in trials)
    positive = sum(int((one.true() > 0.01).sum()) for one in trials)
    return f"| {name} | " + " | ".join(f"{error:.3f}" for error in errors) + f" | {unpaid} of {positive} |"


def alone(one: Trial) -> list[float]:
    """Σ|error| of either witness."""
    in_run = np.mean([walk.credit * walk.scale for walk in one.evidence.walks], axis=0)
    return [one.misses(np.bincount(one.owner, weights=credit)) for credit in (in_run, one.evidence.stand_in.credit)]


def budgeted(one: Trial, budgets: Sequence[float]) -> list[float]:
    """Σ|error| by budget."""
    return [one.misses(one.estimate(budget).credit) for budget in budgets]


def rows_counted(one: Trial) -> float:
    """Σ|error| where each row is worth the same."""
    return one.misses(np.bincount(one.owner).astype(float))


def coverage_lines(trials: Sequence[Trial]) -> Iterator[str]:
    """How often 90 % intervals hold the truth, with exact binomial bounds."""
    yield (
        "Coverage of 90 % intervals of credit in nats, against the truth on "
        f"{FRESH} rows that no estimate has seen, pooled over all names of all worlds. "
        "*Added*: the truth's own error is added to the interval. The bounds (Clopper–Pearson, 95 %) take "
        f"names as independent; the worlds, which are, are {len(trials)}: *by world* is the mean and the standard "
        "error over them."
    )
    yield ""
    yield "| interval from | covered, the truth's error added | bounds | by world | not added | names |"
    yield "|---|---|---|---|---|---|"
    for budget in BUDGETS:
        hits = [covered(one, budget) for one in trials]
        added, stood = np.concatenate(hits, axis=1)
        low, high = clopper_pearson(int(added.sum()), len(added))
        worlds = np.array([part[0].mean() for part in hits])
        error = worlds.std(ddof=1) / np.sqrt(len(worlds))
        yield (
            f"| budget {budget} | {added.mean():.0%} | {low:.0%}–{high:.0%} | {worlds.mean():.0%} ± {error:.0%} "
            f"| {stood.mean():.0%} | {len(added)} |"
        )


def covered(one: Trial, budget: float) -> np.ndarray:
    """Whether each interval holds the truth, with the truth's own error added and as it stands, bool [2, names]."""
    estimate, true = one.estimate(budget), one.fresh.mean(0)
    own = one.fresh.var(0, ddof=1) / len(one.fresh)
    quantile = estimate.margin(0.9) / estimate.errors()
    wide = np.stack([quantile * np.sqrt(estimate.errors() ** 2 + own), estimate.margin(0.9)])
    return np.asarray(np.abs(estimate.credit - true) <= wide)


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact bounds of a probability."""
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, hits, trials - hits + 1) if hits else 0.0
    high = beta.ppf(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    return float(low), float(high)


if __name__ == "__main__":
    main()
