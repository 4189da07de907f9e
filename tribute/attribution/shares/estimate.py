"""Names' credits from rows' credits, corrected by retraining, and how certain they are.

T̄ is the table of row_credits.py averaged over its S seeds. What is not known of it is described for *rows*, by two
numbers each: a variance per row, and one that the rows of a cluster (which no name decides) have in common,

    Cov(i, j) = e·1[i = j] + u·1[i and j of one cluster]

`scatter` describes what other seeds would change, pooled over all rows and clusters; `off` how far the witnesses may
be from the truth, from half of what lies between them. A rate design (retraining/designs.py) observes E = X φ + ε of
groups of rows, Var ε = σ² times their rows, and the total is known exactly. With D = scatter + b·off,

    φ = T̄ + D X' M⁻¹ (E − X T̄),    M = X D X' + Var ε

b and σ² are averaged over a grid, weighted by how likely they make what was measured and a wide prior (empirical Bayes,
Efron & Morris 1973); where there was one witness, off is a variance per row alone, and without a design either it is 0.

A name's credit is a sum over its rows, and its variance a sum over pairs of them that depends on how many of its rows
are in which cluster and group: merging two names gives what one name with all rows would have had, figure by figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy import stats

from tribute.attribution.shares.row_credits import RowCredits

GRID = np.geomspace(1 / 16, 16, 9)
"""Values of b, and of σ² in mean squared distances of a design from the witnesses per row."""
WIDTH = 1.5
"""Beforehand each is about 1, give or take a factor of e^WIDTH."""


@dataclass(frozen=True)
class Spread:
    """A covariance of rows: a variance per row, and one that a cluster's rows share."""

    row: float
    shared: float

    def between(self, a: np.ndarray, b: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        """The covariance of sums over rows, `a` [sums, rows] and `b` [others, rows] of 0 and 1, [sums, others]."""
        inside = clusters[:, None] == np.arange(clusters.max() + 1)
        return np.asarray(self.row * a @ b.T + self.shared * (a @ inside) @ (b @ inside).T)

    def plus(self, other: "Spread") -> "Spread":
        """Of what varies with either."""
        return Spread(self.row + other.row, self.shared + other.shared)

    def times(self, factor: float) -> "Spread":
        """Every variance times `factor`."""
        return Spread(self.row * factor, self.shared * factor)

    @classmethod
    def of(cls, residuals: np.ndarray, clusters: np.ndarray) -> "Spread":
        """From residuals [draws, rows], whose mean square is the variance: one-way analysis of variance."""
        size = np.bincount(clusters).astype(float)
        means = np.stack([np.bincount(clusters, weights=draw) for draw in residuals]) / size
        left = residuals - means[:, clusters]
        row = float((left**2).sum() / max((len(clusters) - len(size)) * len(residuals), 1))
        return cls(row, max(float((means**2 - row / size).mean()), 0.0))


@dataclass(frozen=True)
class Design:
    """What one repetition of a rate design measured."""

    groups: np.ndarray
    """The group of each row, int [rows]."""
    effects: np.ndarray
    """Each group's effect in nats, [groups]."""
    folds: np.ndarray
    """What each fold of the evaluation says of it, [folds, groups]."""

    def members(self) -> np.ndarray:
        """X: whether a row is in a group, float [groups, rows]."""
        return np.asarray(self.groups == np.arange(len(self.effects))[:, None], dtype=float)


@dataclass(frozen=True)
class Estimate:
    """Credits of names in nats, and how certain they are, each [names]."""

    credit: np.ndarray
    known: np.ndarray
    """Variance of all that is not known."""
    scatter: np.ndarray
    """The part of it that other seeds, draws and evaluation rows would change."""
    dof: float
    """Degrees of freedom behind the variances."""

    def errors(self) -> np.ndarray:
        """How far each credit may be off, one standard deviation, [names]."""
        return np.asarray(np.sqrt(np.maximum(self.known, 0)))

    def standard_errors(self) -> np.ndarray:
        """Of each credit as an average over seeds, draws and evaluation rows, [names]: what pay is cut by."""
        return np.asarray(np.sqrt(np.maximum(self.scatter, 0)))

    def margin(self, confidence: float) -> np.ndarray:
        """Half the width of each credit's t interval, [names]."""
        return np.asarray(self.errors() * stats.t.ppf((1 + confidence) / 2, self.dof))


class RowEstimate:
    """Everything that names' credits are made of, and no name."""

    def __init__(self, table: RowCredits, clusters: np.ndarray, gain: float, designs: Sequence[Design] = ()) -> None:
        self.table, self.clusters, self.designs = table, clusters, designs
        seeds, self.mean = len(table.credit), table.credit.mean(0)
        residuals = (table.credit - self.mean) * np.sqrt(seeds / max(seeds - 1, 1))
        self.scatter = Spread.of(residuals, clusters).times(1 / seeds)
        if len(table.draws):
            count = len(table.draws)
            drawn = Spread.of((table.draws - table.draws.mean(0)) * np.sqrt(count / (count - 1)), clusters)
            self.scatter = self.scatter.plus(drawn.times(1 / count))
        self.observe = np.vstack([*(design.members() for design in designs), np.ones((1, len(clusters)))])
        self.effects = np.concatenate([*(design.effects for design in designs), [gain]])
        self.off = Spread.of(table.distance[None], clusters)
        if designs and not table.distance.any():
            missed = self.effects[:-1] - self.observe[:-1] @ self.mean
            self.off = Spread(float((missed**2 / self.observe[:-1].sum(1)).mean()), 0.0)
        self.dof = float(max((seeds - 1) * int(clusters.max() + 1), 1))
        self.plausible = self._plausible() if designs else {(1.0, 0.0): 1.0}

    @property
    def credit(self) -> np.ndarray:
        """Every row's credit, nats [rows]."""
        missed = self.effects - self.observe @ self.mean
        rows = np.zeros(len(self.mean))
        for (b, noise), likely in self.plausible.items():
            pulled = self._inverses[b, noise] @ missed @ self.observe
            spread = self._spread(b)
            shared = np.bincount(self.clusters, weights=pulled)[self.clusters]
            rows += likely * (spread.row * pulled + spread.shared * shared)
        return np.asarray(self.mean + rows)

    def named(self, owner: np.ndarray) -> Estimate:
        """The credits of names, from `owner` int [rows]: the position of each row's name."""
        names = (owner == np.arange(int(owner.max()) + 1)[:, None]).astype(float)
        missed, whole = self.effects - self.observe @ self.mean, names @ self.mean
        credits, pulls, known, scatter = [], {}, np.zeros(len(names)), np.zeros(len(names))
        for (b, noise), likely in self.plausible.items():
            spread = self._spread(b)
            seen = spread.between(names, self.observe, self.clusters)
            linear = pulls[b, noise] = seen @ self._inverses[b, noise]
            credits.append(whole + linear @ missed)
            prior = np.array([spread.between(name[None], name[None], self.clusters)[0, 0] for name in names])
            known += likely * (prior - (linear * seen).sum(1))
            scatter += likely * self._scatter(names, linear, noise)
        weights = np.array(list(self.plausible.values()))
        credit = weights @ np.stack(credits)
        known += weights @ (np.stack(credits) - credit) ** 2
        folds, total = self._by_fold(names, pulls), self.table.folds.sum(1)
        apart = folds - total[:, None] * credit / self.effects[-1]
        return Estimate(credit, known + _of_mean(folds), scatter + _of_mean(apart), self.dof)

    def _spread(self, b: float) -> Spread:
        return self.scatter.plus(self.off.times(b))

    def _noise(self, noise: float) -> np.ndarray:
        """Var ε of every observation; the total has none."""
        return np.append(noise * self.observe[:-1].sum(1), 0.0)

    @cached_property
    def _inverses(self) -> dict[tuple[float, float], np.ndarray]:
        """(b, σ²) → the inverse of the observations' covariance."""
        return {(b, noise): self._inverse(b, noise) for b, noise in self.plausible}

    def _inverse(self, b: float, noise: float) -> np.ndarray:
        seen = self._spread(b).between(self.observe, self.observe, self.clusters)
        return np.asarray(np.linalg.pinv(seen + np.diag(self._noise(noise)), hermitian=True))

    def _scatter(self, names: np.ndarray, linear: np.ndarray, noise: float) -> np.ndarray:
        own = [self.scatter.between(name[None], name[None], self.clusters)[0, 0] for name in names]
        mixed = self.scatter.between(names, self.observe, self.clusters)
        seen = self.scatter.between(self.observe, self.observe, self.clusters) + np.diag(self._noise(noise))
        return np.asarray(np.array(own) - 2 * (linear * mixed).sum(1) + ((linear @ seen) * linear).sum(1))

    def _by_fold(self, names: np.ndarray, pulls: Mapping[tuple[float, float], np.ndarray]) -> np.ndarray:
        """The credits of names as each fold of the evaluation alone has them, [folds, names]."""
        folds = self.table.folds
        apart = folds @ names.T
        measured = [*(design.folds for design in self.designs), folds.sum(1, keepdims=True)]
        missed = np.hstack(measured) - folds @ self.observe.T
        for place, likely in self.plausible.items():
            apart = apart + likely * missed @ pulls[place].T
        return np.asarray(apart)

    def _plausible(self) -> dict[tuple[float, float], float]:
        """b and σ² on a grid, with their posterior weights."""
        observe, missed = self.observe[:-1], (self.effects - self.observe @ self.mean)[:-1]
        scale = float((missed**2 / observe.sum(1)).mean())
        logs = {}
        for b, part in product(GRID, GRID):
            seen = self._spread(b).between(observe, observe, self.clusters) + np.diag(part * scale * observe.sum(1))
            fit = np.linalg.slogdet(seen)[1] + missed @ np.linalg.solve(seen, missed)
            logs[float(b), float(part * scale)] = -(fit + (np.log([b, part]) ** 2).sum() / WIDTH**2) / 2
        top = max(logs.values())
        weights = {key: float(np.exp(value - top)) for key, value in logs.items()}
        return {key: value / sum(weights.values()) for key, value in weights.items()}


def _of_mean(folds: np.ndarray) -> np.ndarray:
    """The variance of the mean over folds [folds, names]: what a bootstrap of folds goes to."""
    return np.asarray(folds.var(0, ddof=1) / len(folds))
