"""One estimate of the credits from two kinds of evidence: in-run credit and retraining on rate designs.

In-run credit is cheap and nearly right; a rate design is right on average and noisy. With φ_k the credit of
contributor k, n_k its rows, c the in-run credit averaged over S seeds, E_r the block effects of repetition r and
X_r which contributor is in which block:

    φ ~ N(c, diag(ρ v/S + b² n)),    E_r = X_r φ + e,  e ~ N(0, diag(σ² X_r n)),    Σ_k φ_k = U(all) − U(none)

v_k sums the variance between seeds of every single row's credit, and ρ says how much more (or less) whole blocks
vary than their rows would if they varied independently. b² (how far in-run is off, a row) and σ² (the design's
noise, a row) are not known either: the estimate is the mean over a grid of both, weighted by how likely each makes
what was measured and a wide prior (empirical Bayes, Efron & Morris 1973). Without a design nothing is known of b²,
and it is taken as 0. Many repetitions outweigh in-run, so the estimate goes to the truth wherever in-run stands; a
single one cannot tell b² from σ², and counts for about as much as in-run. n and v add up over rows and ρ, b², σ² come
from blocks of rows, so for given rows and draws contributors of one block can be split or merged and their sum stays.
Without a design ρ has only the contributors themselves to come from: then no credit hangs on names, but the width of
the intervals does a little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import stats

GRID = np.geomspace(1e-3, 8, 9)
"""Values of b² and σ², in mean squared distances between design and in-run a row."""
PRIOR, WIDTH = 0.5, 2.0
"""Beforehand each is about half of that distance, give or take a factor of e²."""


@dataclass(frozen=True)
class Design:
    """What one repetition of a rate design measured."""

    blocks: np.ndarray
    """The block of each contributor, int [contributors]."""
    effects: np.ndarray
    """Each block's effect in nats, [blocks]."""

    def members(self) -> np.ndarray:
        """X: whether a contributor is in a block, float [blocks, contributors]."""
        return np.asarray(self.blocks == np.arange(len(self.effects))[:, None], dtype=float)


@dataclass(frozen=True)
class Estimate:
    """Credits in nats, how certain they are, and the linear map that gave them."""

    credit: np.ndarray
    """[contributors]; sums to the total."""
    covariance: np.ndarray
    """[contributors, contributors]: seeds and draws of rows; with `seen_through`, the choice of evaluation rows too."""
    operator: np.ndarray
    """credit = operator @ (in-run mean, effects of every repetition, total)."""
    dof: float
    """Degrees of freedom behind the variances."""

    def seen_through(self, readings: np.ndarray) -> "Estimate":
        """The same with the uncertainty that comes from the evaluation having just these rows.

        `readings` [folds, what `operator` reads]: what each fold of the evaluation alone would have measured. The
        variance of their mean is what a bootstrap of folds goes to (Efron & Tibshirani 1993).
        """
        apart = readings @ self.operator.T
        return replace(self, covariance=self.covariance + np.cov(apart, rowvar=False) / len(apart))

    def errors(self) -> np.ndarray:
        """Standard error of each credit, [contributors]."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), 0)))

    def margin(self, confidence: float) -> np.ndarray:
        """Half the width of each credit's t interval, [contributors]."""
        return np.asarray(self.errors() * stats.t.ppf((1 + confidence) / 2, self.dof))


def combine(
    in_run: np.ndarray, noise: np.ndarray, rows: np.ndarray, total: float, designs: Sequence[Design]
) -> Estimate:
    """See the module. `in_run` [seeds, contributors] in nats, each seed summing to its own improvement.

    `noise` [contributors] is v (see `row_noise`), `rows` [contributors] n, `total` U(all) − U(none) in nats.
    """
    seeds, names = in_run.shape
    mean = in_run.mean(0)
    groups = [design.members() for design in designs]
    spread = _spread(in_run, noise, groups or [np.eye(names)]) * noise / seeds
    dof = (seeds - 1) * names
    if not designs:
        return Estimate(mean, np.diag(spread), np.hstack([np.eye(names), np.zeros((names, 1))]), dof)
    found = np.concatenate([mean, *(design.effects for design in designs), [total]])
    operators, covariances = [], []
    weights = _plausible(mean, spread, rows, designs)
    for off, sigma in weights:
        operator, covariance = _condition(np.diag(spread + off * rows), groups, sigma * rows)
        operators.append(operator)
        covariances.append(covariance)
    likely = np.array(list(weights.values()))
    credits = np.stack([operator @ found for operator in operators])
    credit = likely @ credits
    between = (credits - credit).T @ (likely[:, None] * (credits - credit))
    covariance = np.tensordot(likely, np.stack(covariances), 1) + between
    dof = min(dof, sum(len(design.effects) for design in designs) - 1)
    return Estimate(credit, covariance, np.tensordot(likely, np.stack(operators), 1), dof)


def _condition(prior: np.ndarray, groups: Sequence[np.ndarray], noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The linear map from (in-run, effects, total) to the posterior mean, and the posterior covariance."""
    observe = np.vstack([*groups, np.ones(len(prior))])
    error = np.concatenate([*(group @ noise for group in groups), [0.0]])
    gain = prior @ observe.T @ np.linalg.pinv(observe @ prior @ observe.T + np.diag(error))
    return np.hstack([np.eye(len(prior)) - gain @ observe, gain]), prior - gain @ observe @ prior


def row_noise(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """v: the variance between seeds of each row's credit `scores` [seeds, rows], summed by owner, [contributors]."""
    return np.bincount(owner, weights=scores.var(0, ddof=1))


def _spread(in_run: np.ndarray, noise: np.ndarray, groups: Sequence[np.ndarray]) -> float:
    """ρ: the variance between seeds of block sums against their rows' variances."""
    sums = np.concatenate([(in_run @ group.T).var(0, ddof=1) for group in groups])
    expected = np.concatenate([group @ noise for group in groups])
    return float((sums[expected > 0] / expected[expected > 0]).mean()) if (expected > 0).any() else 0.0


def _plausible(
    mean: np.ndarray, spread: np.ndarray, rows: np.ndarray, designs: Sequence[Design]
) -> dict[tuple[float, float], float]:
    """b² and σ² on a grid, with their posterior weights."""
    observe = np.vstack([design.members() for design in designs])
    distance = np.concatenate([design.effects - design.members() @ mean for design in designs])
    sizes = observe @ rows
    scale = float((distance**2 / sizes).mean())
    known, per_row = observe @ np.diag(spread) @ observe.T, observe @ np.diag(rows) @ observe.T
    logs = {}
    for off, sigma in product(scale * GRID, repeat=2):
        covariance = known + off * per_row + sigma * np.diag(sizes)
        fit = np.linalg.slogdet(covariance)[1] + distance @ np.linalg.solve(covariance, distance)
        wide = (np.log(off / scale / PRIOR) ** 2 + np.log(sigma / scale / PRIOR) ** 2) / WIDTH**2
        logs[float(off), float(sigma)] = -(fit + wide) / 2
    top = max(logs.values())
    weights = {key: float(np.exp(value - top)) for key, value in logs.items()}
    return {key: value / sum(weights.values()) for key, value in weights.items()}
