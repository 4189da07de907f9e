"""How much each witness counts, and how much retrainings, in synthetic worlds. See names.py."""

from collections.abc import Iterator, Sequence

import numpy as np

from lib.row_evidence import Evidence
from lib.synthetic_trials import Trial

PARTS, SEED_COUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (1, 2)
"""Fixed parts of the stand-in in the mix, and numbers of seeds."""
PULLED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of a budget's correction."""


def weight_lines(trials: Sequence[Trial], counts: Sequence[int]) -> Iterator[str]:
    """Σ|error| by what each witness counts, and by how many seeds there are."""
    yield "### How much each witness counts"
    yield ""
    yield (
        "Σ|error| by the part that the stand-in has in the mix, the same in all worlds. *Best*: for each world the "
        "part that is closest to its truth, which nobody knows beforehand: what any choice of weights could reach. "
        "*As paid*: by the inverse of each witness's variance, measured in each world, nothing tuned; in brackets the "
        "part that it gives the stand-in, on average."
    )
    yield ""
    yield "| worlds | " + " | ".join(f"{part:.1f}" for part in PARTS) + " | best | **as paid** |"
    yield "|---" * (len(PARTS) + 3) + "|"
    for title, chosen in grouped(trials, counts):
        fixed = np.array([[one.misses(mixed(one, part)) for part in PARTS] for one in chosen])
        best = [min(one.misses(mixed(one, part)) for part in np.linspace(0, 1, 21)) for one in chosen]
        as_paid = np.mean([one.misses(one.estimate().credit) for one in chosen])
        part = np.mean([stand_in_part(one) for one in chosen])
        cells = [f"{error:.3f}" for error in (*fixed.mean(0), np.mean(best))] + [f"**{as_paid:.3f}** ({part:.2f})"]
        yield f"| {title} | " + " | ".join(cells) + " |"
    yield ""
    yield "By the number of seeds, with the same stand-in: Σ|error| as paid, and in brackets of in-run credit alone."
    yield ""
    yield "| worlds | " + " | ".join(f"{count} seed{'s' if count > 1 else ''}" for count in SEED_COUNTS) + " |"
    yield "|---" * (len(SEED_COUNTS) + 1) + "|"
    for title, chosen in grouped(trials, counts):
        cells = []
        for count in SEED_COUNTS:
            both = np.mean([one.misses(one.estimate(seeds=count).credit) for one in chosen])
            in_run = np.mean([one.misses(in_run_alone(one, count)) for one in chosen])
            cells.append(f"{both:.3f} ({in_run:.3f})")
        yield f"| {title} | " + " | ".join(cells) + " |"


def grouped(trials: Sequence[Trial], counts: Sequence[int]) -> Iterator[tuple[str, list[Trial]]]:
    """The trials by how many names there are, and all of them, each with its title."""
    for count in counts:
        yield f"{count} names", [one for one in trials if one.names == count]
    yield "all", list(trials)


def mixed(one: Trial, part: float) -> np.ndarray:
    """Credits of names in nats where the stand-in has this part of all mass, of rows pulled to like ones or not."""
    evidence = one.evidence
    in_run = np.mean([walk.credit * walk.scale for walk in evidence.walks], axis=0)
    masses = [mass(credit, evidence) for credit in (in_run, evidence.stand_in.credit)]
    rows = (1 - part) * in_run / masses[0] + part * evidence.stand_in.credit / masses[1]
    return np.bincount(one.owner, weights=rows)


def mass(credit: np.ndarray, evidence: Evidence) -> float:
    """What is positive over the clusters."""
    return float(np.maximum(np.bincount(evidence.stand_in.clusters, weights=credit), 0).sum())


def stand_in_part(one: Trial) -> float:
    """The part that the stand-in has in what is paid."""
    table, evidence = one.evidence.by_row().table, one.evidence
    in_run = np.mean([walk.credit * walk.scale for walk in evidence.walks], axis=0)
    parts = table.per_in_run * mass(in_run, evidence), table.per_stand_in * mass(evidence.stand_in.credit, evidence)
    return parts[1] / sum(parts)


def in_run_alone(one: Trial, seeds: int) -> np.ndarray:
    """Credits of names in nats by in-run credit of so many seeds."""
    walks = [one.walk(seed) for seed in range(seeds)]
    return np.bincount(one.owner, weights=np.mean([walk.credit * walk.scale for walk in walks], axis=0))


def retraining_lines(trials: Sequence[Trial], budgets: Sequence[float]) -> Iterator[str]:
    """Σ|error| by how much of what retrainings say is believed."""
    yield "### What retrainings add"
    yield ""
    yield (
        "Σ|error| where only a part of the correction by a budget's retrainings is made, the same in all worlds; 1 is "
        "what a run does. *Best*: the part that is closest to each world's truth, which nobody knows. *Slope*: the "
        "part that fits the names' true residuals best, by least squares over all names; *r*: how the corrections "
        "correlate with these residuals."
    )
    yield ""
    yield "| budget | trainings | " + " | ".join(f"{part:g}" for part in PULLED) + " | best | slope | r |"
    yield "|---" * (len(PULLED) + 5) + "|"
    for budget in budgets:
        plain, moved, residual = [], [], []
        for one in trials:
            before, scale = one.estimate().credit, one.evidence.gain
            plain.append(before)
            moved.append(one.estimate(budget).credit - before)
            residual.append((one.truth.mean(0) - before) / scale)
        errors = [[one.misses(a + part * b) for part in PULLED] for one, a, b in zip(trials, plain, moved, strict=True)]
        best = [
            min(one.misses(a + part * b) for part in np.linspace(-1, 2, 31))
            for one, a, b in zip(trials, plain, moved, strict=True)
        ]
        correction = np.concatenate([b / one.evidence.gain for one, b in zip(trials, moved, strict=True)])
        true = np.concatenate(residual)
        spent = np.mean([one.seen(budget)[1] for one in trials])
        cells = [f"{error:.3f}" for error in (*np.mean(errors, axis=0), np.mean(best))]
        cells += [f"{correction @ true / (correction @ correction):.2f}"]
        cells += [f"{correction @ true / np.sqrt((correction @ correction) * (true @ true)):.2f}"]
        yield f"| {budget} | {spent:.0f} | " + " | ".join(cells) + " |"
