"""What the attack suite's stand-in leaves open: real runs beside it, honest work, and what the defences cost.

    python benchmarks/incentives.py real --cache CACHE [--worlds 10] [--minutes 60]
    python benchmarks/incentives.py accuracy doubling [--worlds 30]
    python benchmarks/incentives.py price --data DATA
    python benchmarks/incentives.py seconds

Each part writes its section of docs/benchmarks/incentives.md. CACHE keeps real runs (some 30 CPU seconds each), so that
a benchmark that was stopped goes on; DATA holds `clinc150/` as `tribute fetch` writes it.
"""

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.defence_seconds import second_lines
from lib.honest_doubling import REPETITIONS, double
from lib.honest_price import DEFENCES, HARM, NAMES, clinc150, length_of, prices
from lib.pages import put_section
from lib.real_attacks import CONFIG, Outcome, RealChain
from tribute.attribution.credit import Probe
from tribute.contributions.releases import read_tokenizer
from tribute.finetuning.models.base_models import base_folder
from tribute.finetuning.models.embeddings import sentence_encoder
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.pay import Embeddings, probe_of
from tribute.incentives.ratios import Ratio, paired_ratio
from tribute.incentives.screened import trained_rows
from tribute.incentives.suite import BASE, docs_suite
from tribute.incentives.world import VICTIM, World, draw_world

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "incentives.md"
SECTIONS = {
    "real": "Real runs beside the stand-in",
    "accuracy": "Accuracy after attack and defence",
    "doubling": "Honest doubling",
    "price": "The price for honest rows",
    "seconds": "What the defences add to the demo",
}
REAL = ("burner-repair", "copy-splice", "leak-mixed", "flips", "junk-names", "own-fillers", "honest-doubling")
TRAINED = (
    *("leak-mixed", "leak-small-names", "leak-splice", "copy-splice", "own-fillers", "split-16", "junk-names"),
    *("burner-repair", "mislabelled", "triggers", "templates", "stuffing", "junk-lottery", "framing-as-harmful"),
    *("front-run-labels", "framing"),
)
"""Attacks of one month whose rows, or some of them, are trained on."""


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", choices=list(SECTIONS), nargs="+", metavar="PART", help=", ".join(SECTIONS))
    parser.add_argument("--cache", type=Path, help="where real runs are kept")
    parser.add_argument("--data", type=Path, help="the folder of clinc150/")
    parser.add_argument("--worlds", type=int, metavar="N")
    parser.add_argument("--attacks", nargs="+", default=REAL, help="of real runs")
    parser.add_argument("--minutes", type=float, default=np.inf, help="after which no real run begins")
    given = parser.parse_args()
    lines = {
        "real": lambda: real_lines(given.cache, given.worlds or 10, given.attacks, given.minutes),
        "accuracy": lambda: accuracy_lines(given.worlds or 30),
        "doubling": lambda: doubling_lines(given.worlds or 30),
        "price": lambda: price_lines(given.data / "clinc150"),
        "seconds": second_lines,
    }
    for part in given.parts:
        put_section(PAGE, SECTIONS[part], "\n".join(lines[part]()), list(SECTIONS.values()))


def real_lines(cache: Path, worlds: int, attacks: Sequence[str], minutes: float) -> Iterator[str]:
    """Ratios of real runs and of the stand-in in the same worlds, as many as there is time for."""
    suite = docs_suite()
    chain = RealChain(cache / "real.jsonl", suite.tokenizer, minutes)
    drawn = [draw_world(suite.corpus, seed, suite.size) for seed in range(worlds)]
    honest = [chain.run(world, world.uploads) for world in drawn]
    rows = []
    for name in attacks:
        uploads = [ATTACKS[name].uploads(world, random.Random(f"{name} {seed}")) for seed, world in enumerate(drawn)]
        attacked = [chain.run(world, files) for world, files in zip(drawn, uploads, strict=True)]
        made = [seed for seed in range(worlds) if honest[seed] and attacked[seed]]
        if len(made) > 1:
            runs = [(drawn[seed], honest[seed], attacked[seed]) for seed in made]
            rows.append(_real_row(name, runs, [suite.draw(ATTACKS[name], seed) for seed in made]))
    reached = [run for run in honest if run]
    yield (
        "Worlds of seven names with 40 rows, as of `tribute attack`: contributed, released, fine-tuned with "
        f"{len(CONFIG.finetuning.seeds)} seeds and {CONFIG.finetuning.epochs} epochs on the demo's base, attributed "
        "(`validation: off`), and divided by the product's allocation, the attacker's names netted as one payee. Pay "
        "with the attack ÷ without it, 95 % interval; beside it the stand-in's ratio in the same worlds. *The same*: "
        "worlds whose trained rows and names are the honest run's, so that every ratio is 1. Accuracy in points and "
        "loss in nats on the 160 sealed rows: attacked less honest, ± a standard error over the worlds. The honest "
        f"runs reach {np.mean([run.accuracy for run in reached]):.1%} and gain "
        f"{np.mean([run.gained for run in reached]):.3f} nats; training and attribution of a run take "
        f"{statistics.median(run.seconds for run in chain.kept.values()):.0f} CPU seconds."
    )
    yield ""
    yield (
        "| attack | worlds | the same | credit, κ 1, real | stand-in | credit, κ 0, real | stand-in "
        "| victim's credit | accuracy | loss |"
    )
    yield "|---" * 10 + "|"
    yield from rows


def _real_row(name: str, runs: Sequence[tuple[World, Outcome, Outcome]], draws: Sequence) -> str:
    same = sum(before.trained == after.trained for _, before, after in runs)
    cells = [ratio for part in ("certain", "credit") for ratio in _beside(runs, draws, part)]
    points = np.array([100 * (after.accuracy - before.accuracy) for _, before, after in runs])
    accuracy = f"{points.mean():+.1f} ± {points.std(ddof=1) / np.sqrt(len(runs)):.1f}"
    loss = np.mean([after.loss - before.loss for _, before, after in runs])
    return f"| `{name}` | {len(runs)} | {same} | {' | '.join(cells)} | {_victim(runs)} | {accuracy} | {loss:+.3f} |"


def _beside(runs: Sequence[tuple[World, Outcome, Outcome]], draws: Sequence, part: str) -> Iterator[str]:
    real = paired_ratio([(_own(world, before, part), _own(world, after, part)) for world, before, after in runs])
    stand_in = paired_ratio([getattr(draw, part) for draw in draws])
    inside = real.low <= stand_in.ratio <= real.high
    yield _interval(real)
    yield f"{stand_in.ratio:.2f}{'' if inside else ' (outside)'}"


def _own(world: World, outcome: Outcome, part: str) -> float:
    """What the attacker's names are paid."""
    parts = getattr(outcome.earned(world), part)
    return sum(paid for name, paid in parts.items() if name not in world.honest)


def _victim(runs: Sequence[tuple[World, Outcome, Outcome]]) -> str:
    parts = [tuple(run.earned(world).credit.get(VICTIM, 0.0) for run in pair) for world, *pair in runs]
    return _interval(paired_ratio(parts))


def _interval(ratio: Ratio) -> str:
    return f"{ratio.ratio:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def accuracy_lines(worlds: int) -> Iterator[str]:
    """How often the stand-in is right with an attack, less without it."""
    suite = docs_suite()
    honest, points = [], {name: [] for name in TRAINED}
    for seed in range(worlds):
        world = draw_world(suite.corpus, seed, suite.size)
        before = trained_rows(world, world.uploads, suite.tokenizer, suite.screening).rows
        length = probe_of(world, before, suite.embeddings).length
        honest.append(_accuracy(probe_of(world, before, suite.embeddings, length)))
        for name, changes in points.items():
            uploads = ATTACKS[name].uploads(world, random.Random(f"{name} {seed}"))
            after = trained_rows(world, uploads, suite.tokenizer, suite.screening).rows
            changes.append(_accuracy(probe_of(world, after, suite.embeddings, length)) - honest[-1])
    yield (
        f"The stand-in in {worlds} worlds of `tribute attack`, after screening at its defaults: points of accuracy on "
        f"160 sealed rows, attacked less honest ({np.mean(honest):.1%}), ± a standard error over the worlds. Attacks "
        "that are kept out whole change nothing. The bar is −1 point."
    )
    yield ""
    yield "| attack | accuracy | |"
    yield "|---|---|---|"
    for name, changes in sorted(points.items(), key=lambda item: np.mean(item[1])):
        mean, error = 100 * np.mean(changes), 100 * np.std(changes, ddof=1) / np.sqrt(worlds)
        yield f"| `{name}` | {mean:+.1f} ± {error:.1f} | {'within' if mean >= -1 else 'beyond'} |"


def _accuracy(probe: Probe) -> float:
    everything, labels = np.ones(len(probe.train)), range(len(probe.head))
    losses = [replace(probe, answers=np.full_like(probe.answers, label)).losses(everything) for label in labels]
    return float((np.argmin(losses, axis=0) == probe.answers).mean())


def doubling_lines(worlds: int) -> Iterator[str]:
    """Ratios of pay, of brute force, and of the two."""
    suite = docs_suite()
    doubled = [double(suite, seed) for seed in range(worlds)]
    true = paired_ratio([one.true for one in doubled])
    first, second = (paired_ratio([one.true_halves[half] for one in doubled]).ratio for half in range(2))
    yield (
        f"In {worlds} worlds of `tribute attack` one of seven contributors brings twice as many rows, all of them real "
        f"and new. By brute force (the stand-in trained on subsets, {REPETITIONS} repetitions of the rate design of "
        f"128 trainings) its part of the pool grows to {_interval(true)} times; by either half of the repetitions "
        f"to {first:.2f} and {second:.2f} times."
    )
    yield ""
    yield "| pay by | grows to | ÷ brute force's | bar |"
    yield "|---|---|---|---|"
    for part, words in (("certain", "credit, κ 1"), ("credit", "credit, κ 0"), ("content", "content")):
        pairs = [getattr(one, part) for one in doubled]
        ratio = _interval(paired_ratio(pairs))
        yield f"| {words} | {ratio} | {_interval(_quotient(pairs, [one.true for one in doubled]))} | ≥ 0.85 |"


def _quotient(pairs: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> Ratio:
    """One ratio of sums ÷ another one's over the same worlds."""
    tables = [np.array(pairs), np.array(others)]
    chosen = np.random.default_rng(0).integers(len(pairs), size=(2000, len(pairs)))
    whole, drawn = (
        [table[at].sum(-2)[..., 1] / table[at].sum(-2)[..., 0] for table in tables]
        for at in (np.arange(len(pairs)), chosen)
    )
    low, high = np.percentile(drawn[0] / drawn[1], (2.5, 97.5))
    return Ratio(float(whole[0] / whole[1]), float(low), float(high))


def price_lines(folder: Path) -> Iterator[str]:
    """Honest rows that each defence takes out, or takes more than half of the pay from."""
    tokenizer, embeddings = read_tokenizer(base_folder(BASE)), Embeddings(sentence_encoder(BASE))
    yield (
        f"Questions of CLINC150, dealt to {NAMES} names; the test questions of their intents are sealed. *Halved*: "
        "rows that are kept, and whose part of all credit (the stand-in's) is less than half of what it is without the "
        "defence, where that is above 0; *with credit*: the part of all positive credit that these rows had. *Worst "
        "name*: what is left of the credit of the name that loses most. The bar is 1 % excluded or halved."
    )
    yield ""
    yield "| rows | dealt | defence | excluded | halved | with credit | worst name |"
    yield "|---|---|---|---|---|---|---|"
    for rows, intents, deal, defences in (
        (10_000, 150, "at random", DEFENCES),
        (1_000, 15, "at random", HARM),
        (1_000, 15, "by intent", HARM),
    ):
        world = clinc150(folder, deal, rows, intents)
        length = length_of(world, tokenizer, embeddings)
        for price in prices(world, tokenizer, embeddings, length, defences):
            yield (
                f"| {rows:,} | {deal} | {price.defence} | {price.excluded:.2%} | {price.halved:.2%} "
                f"| {price.of_credit:.2%} | {price.worst:.3f} |"
            )


if __name__ == "__main__":
    main()
