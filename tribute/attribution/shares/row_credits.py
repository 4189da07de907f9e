"""Every row's credit for every seed, from two witnesses: in-run credit and a stand-in.

In-run credit knows the training that happened; a stand-in (credit/stand_in.py) knows how rows make up for each other.
They err in different ways, so both count. Each is divided by its own *mass* first, the sum of what is positive over
clusters of rows of like content, which no name decides: in-run credits of rows that taught the same may cancel to
several times the gain, and would outweigh a stand-in whose credits hardly cancel. The sum is then brought to the gain.

Each counts by the inverse of its variance over the clusters: what its own seeds or draws scatter, s² of their mean, and
half of what then still lies between the two, since nobody knows whose error that is,

    v = s² + max(0, Σ (a − b)² − s_a² − s_b²) / 2

A single seed does not say how it scatters; then half of what lies between the two counts as that.

Rows of a cluster have like content, and what sets them apart is mostly noise of either witness. With a and b what the
two say of a row, less the mean of its cluster, and m what they say together, weighed, only that part of m is kept on
which they agree:

    kept = Σ a·b / Σ m²,  between 0 and 1

(the linear estimate of what two noisy measurements have in common). It moves no credit between clusters.

Nothing here knows a name: a name's credit is the sum over its rows (estimate.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tribute.errors import AttributionError

TOLERATED, USELESS = 0.2, 0.5
"""Up to the first mismatch of a walk its in-run credit counts in full, from the second on not at all."""
TINY = 1e-12
"""Parts of the whole below which nothing is told apart."""
LEARNED = 0.5
"""A stand-in that gains less than this part of what the fine-tune gained is no witness."""


@dataclass(frozen=True)
class InRunCredit:
    """One seed's in-run credit."""

    seed: int
    credit: np.ndarray
    """As it was integrated, nats [rows]."""
    folds: np.ndarray
    """The same by each fold of the evaluation, [folds, rows]."""
    measured: float
    """What the fine-tune took off the evaluation loss, nats."""
    weight_decay: float = 0.0
    """The part of it that is weight decay's, which no row is credited with."""

    @property
    def mismatch(self) -> float:
        """The sum, weight decay's part included, ÷ the measured improvement − 1."""
        return float((self.credit.sum() + self.weight_decay) / self.measured - 1)

    @property
    def weight(self) -> float:
        """How much it counts, 0 to 1."""
        return float(np.clip((USELESS - abs(self.mismatch)) / (USELESS - TOLERATED), 0, 1))

    @property
    def scale(self) -> float:
        """Brings the credits to the measured gain; 0 where they count for nothing."""
        return self.measured / float(self.credit.sum()) if self.weight else 0.0


@dataclass(frozen=True)
class StandInCredit:
    """The stand-in's credit."""

    draws: np.ndarray
    """By each of its draws, nats [draws, rows]."""
    folds: np.ndarray
    """[folds, rows]."""
    clusters: np.ndarray
    """Groups of rows of like content, int [rows]."""
    wanted: float
    gained: float

    @property
    def credit(self) -> np.ndarray:
        """The mean over draws, nats [rows]."""
        return np.asarray(self.draws.mean(0))

    @property
    def weight(self) -> float:
        """1, or 0 where it learned too little."""
        return float(min(self.gained, self.credit.sum()) >= LEARNED * self.wanted)


@dataclass(frozen=True)
class RowCredits:
    """The table that everything is paid by."""

    credit: np.ndarray
    """Nats [seeds, rows]; the mean over seeds sums to the gain."""
    folds: np.ndarray
    """What each fold of the evaluation alone says, mean over seeds, [folds, rows]."""
    distance: np.ndarray
    """Half of what lies between the two witnesses, [rows]; 0 where there is only one."""
    per_in_run: float
    """How much of a nat of in-run credit, mean over the seeds scaled to their gains, is in the table."""
    per_stand_in: float = 0.0
    """The same of a nat of the stand-in's credit."""
    draws: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    """The stand-in's part of the table by each of its draws, [draws, rows]; none where it does not count."""


def row_credits(
    in_run: Sequence[InRunCredit], stand_in: StandInCredit | None, clusters: np.ndarray, gain: float
) -> RowCredits:
    """The table, by `clusters` int [rows] for the masses and `gain` in nats for the sum.

    Raises AttributionError where a seed improved nothing, or neither witness can be believed.
    """
    for witness in in_run:
        if witness.measured <= 0:
            raise AttributionError(
                f"seed {witness.seed}: the fine-tune changed the evaluation loss by {-witness.measured:+.4f} nats: "
                "there is no improvement to attribute; check data, labels and finetuning.learning_rate"
            )
    weights = np.array([witness.weight for witness in in_run])
    second = stand_in if stand_in and stand_in.weight else None
    if not weights.any() and not second:
        worst = max(in_run, key=lambda witness: abs(witness.mismatch))
        raise AttributionError(
            f"seed {worst.seed}: the credits along its training sum to {worst.credit.sum():.4f} nats, the evaluation "
            f"loss fell by {worst.measured:.4f}; raise finetuning.trace_states or lower finetuning.learning_rate"
        )
    scaled = np.stack([witness.credit * witness.scale for witness in in_run])
    mean = weights @ scaled / max(weights.sum(), TINY)
    folds = np.tensordot(weights, [witness.folds * witness.scale for witness in in_run], 1) / max(weights.sum(), TINY)
    own, stood, shared, mass = _mass(mean, clusters), 0 * mean, 1.0, 1.0
    by_seed, by_fold, drawn = scaled / own, folds / own, np.zeros((0, len(mean)))
    if second:
        mass = _mass(second.credit, clusters)
        stood = second.credit / mass
        other = _stand_in_counts(by_seed[weights > 0], second.draws / mass, clusters)
        part = (weights / (weights + other))[:, None]
        by_seed = part * by_seed + (1 - part) * stood
        shared = weights.mean() / (weights.mean() + other)
        by_fold = shared * by_fold + (1 - shared) * second.folds / mass
        drawn = (1 - shared) * second.draws / mass
    scale = gain / by_seed.mean(0).sum()
    both = bool(second and weights.any())
    kept = _agreement(mean / own, stood, float(shared), clusters) if both else 1.0
    by_seed, by_fold, drawn = (scale * _pulled(values, clusters, kept) for values in (by_seed, by_fold, drawn))
    # Of what is kept, the part that may still be wrong: kept times the variance that there was.
    distance = scale * _pulled(mean / own - stood, clusters, np.sqrt(kept)) / 2 if both else np.zeros(len(mean))
    return RowCredits(by_seed, by_fold, distance, scale * shared / own, scale * (1 - shared) / mass, drawn)


def _stand_in_counts(seeds: np.ndarray, draws: np.ndarray, clusters: np.ndarray) -> float:
    """How much a stand-in counts where in-run credit counts 1, by its [draws, rows] and the believed [seeds, rows]."""
    if not len(seeds):
        return 1.0
    inside = (clusters[:, None] == np.arange(clusters.max() + 1)).astype(float)
    a, b = seeds @ inside, draws @ inside
    between = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    drawn = _scatter(b)
    seeded = _scatter(a) if len(a) > 1 else max(between - drawn, 0.0) / 2
    unknown = max(between - seeded - drawn, 0.0) / 2
    return (seeded + unknown + TINY) / (drawn + unknown + TINY)


def _scatter(sums: np.ndarray) -> float:
    """The variance of the mean of [replicates, clusters], summed over clusters; 0 where a single one is exact."""
    return float(sums.var(0, ddof=1).sum()) / len(sums) if len(sums) > 1 else 0.0


def _agreement(one: np.ndarray, other: np.ndarray, part: float, clusters: np.ndarray) -> float:
    """How much of what sets rows of a cluster apart, `part` by one witness, both of them see, 0 to 1."""
    a, b = (values - _means(values, clusters) for values in (one, other))
    whole = float(((part * a + (1 - part) * b) ** 2).sum())
    return float(np.clip(float(a @ b) / whole, 0, 1)) if whole else 1.0


def _pulled(values: np.ndarray, clusters: np.ndarray, kept: float) -> np.ndarray:
    """Rows [..., rows] pulled to the mean of their cluster, whose sum stays."""
    means = _means(values, clusters)
    return np.asarray(means + kept * (values - means))


def _means(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Every row's cluster's mean, [..., rows]."""
    inside = (clusters[:, None] == np.arange(clusters.max() + 1)).astype(float)
    return np.asarray((values @ inside / np.maximum(inside.sum(0), 1)) @ inside.T)


def _mass(credit: np.ndarray, clusters: np.ndarray) -> float:
    """What is positive over the clusters, nats; never less than a sum that is positive."""
    return max(float(np.maximum(np.bincount(clusters, weights=credit), 0).sum()), TINY)
