"""One estimate of the credits from three kinds of evidence: in-run credit, a probe, and retraining on rate designs.

In-run credit is cheap and nearly right; so is a linear probe's (probe.py), which errs in other ways; a rate design is
right on average and noisy. With φ_k the credit of contributor k, n_k its rows, c the in-run credit averaged over S
seeds, p the probe's, E_r the block effects of repetition r and X_r which contributor is in which block:

    φ ~ N(c, diag(ρ v/S + b² n)),    p = X_p φ + e_p,    E_r = X_r φ + e_r,    Σ_k φ_k = U(all) − U(none)
    e_p ~ N(0, diag(π² X_p n)),      e_r ~ N(0, diag(σ² X_r n))

v_k sums the variance between seeds of every single row's credit, and ρ says how much more (or less) whole blocks
vary than their rows would if they varied independently. b², π² (how far in-run and the probe are off, a row) and σ²
(the design's noise, a row) are not known either: the estimate is the mean over a grid of them, weighted by how likely
each makes what was measured and a wide prior (empirical Bayes, Efron & Morris 1973). Without a design in-run and probe
count for about the same (in-run a little less, for its scatter), and their distance is what is known of how far either
is off. A single repetition cannot tell them from its own noise; several say which of the two to believe; many outweigh
both, so the estimate goes to the truth wherever they stand. With in-run alone nothing is known of b², and it is taken
as 0. n and v add up over rows and ρ, b², π², σ² come from blocks of rows, so for given rows and draws contributors of
one block can be split or merged and their sum stays. Without blocks ρ has only the contributors themselves to come
from: then no credit hangs on names, but the width of the intervals does a little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import stats

GRID = np.geomspace(1e-3, 8, 9)
"""Values of b², π² and σ², in mean squared distances from in-run a row."""
PRIOR, WIDTH = 0.5, 2.0
"""Beforehand each is about half of that distance, give or take a factor of e²."""


@dataclass(frozen=True)
class Design:
    """What one repetition of a rate design measured, or a probe over many of them."""

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
    """[contributors, contributors] of all that is not known: how far in-run and probe are off, and the scatter."""
    scatter: np.ndarray
    """The part of it that other seeds, retrained draws and, with `seen_through`, evaluation rows would change."""
    operator: np.ndarray
    """credit = operator @ (in-run mean, the probe's effects, effects of every repetition, total)."""
    dof: float
    """Degrees of freedom behind the variances."""

    def seen_through(self, readings: np.ndarray) -> "Estimate":
        """The same with the uncertainty that comes from the evaluation having just these rows.

        `readings` [folds, what `operator` reads]: what each fold of the evaluation alone would have measured. The
        variance of their mean is what a bootstrap of folds goes to (Efron & Tibshirani 1993).
        """
        apart = readings @ self.operator.T
        chosen = np.cov(apart, rowvar=False) / len(apart)
        return replace(self, covariance=self.covariance + chosen, scatter=self.scatter + chosen)

    def errors(self) -> np.ndarray:
        """How far each credit may be off, one standard deviation, [contributors]."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), 0)))

    def standard_errors(self) -> np.ndarray:
        """Of each credit as an average over seeds, draws and evaluation rows, [contributors]: what pay is cut by."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.scatter), 0)))

    def margin(self, confidence: float) -> np.ndarray:
        """Half the width of each credit's t interval, [contributors]."""
        return np.asarray(self.errors() * stats.t.ppf((1 + confidence) / 2, self.dof))


def combine(
    in_run: np.ndarray,
    noise: np.ndarray,
    rows: np.ndarray,
    total: float,
    designs: Sequence[Design],
    probes: Sequence[Design] = (),
) -> Estimate:
    """See the module. `in_run` [seeds, contributors] in nats, each seed summing to its own improvement.

    `noise` [contributors] is v (see `row_noise`), `rows` [contributors] n, `total` U(all) − U(none) in nats; `probes`
    is one or none.
    """
    seeds, names = in_run.shape
    mean, seen = in_run.mean(0), [*probes, *designs]
    groups = [design.members() for design in seen]
    spread = _spread(in_run, noise, groups or [np.eye(names)]) * noise / seeds
    readings = np.concatenate([mean, *(design.effects for design in seen), [total]])
    observe = np.vstack([*groups, np.zeros((0, names))])
    distance, dof = readings[names:-1] - observe @ mean, (seeds - 1) * names
    # Nothing beside in-run, or it says the very same, as it must of a single contributor.
    if (np.abs(distance) <= 1e-12 * np.abs(mean).max()).all():
        alone = np.hstack([np.eye(names), np.zeros((names, len(readings) - names))])
        return Estimate(mean, np.diag(spread), np.diag(spread), alone, dof)
    kinds = np.array([kind for kind, group in enumerate((probes, designs)) for design in group for _ in design.effects])
    operator, covariance, credits, noise_of_draws = np.zeros((names, len(readings))), np.zeros((names, names)), [], 0.0
    weights = _plausible(distance, spread, rows, observe, kinds)
    for (off, apart), likely in weights.items():
        errors = np.array(apart) * (observe @ rows)
        linear, uncertain = _condition(np.diag(spread + off * rows), observe, errors)
        operator, covariance = operator + likely * linear, covariance + likely * uncertain
        noise_of_draws = noise_of_draws + likely * errors * kinds
        credits.append(linear @ readings)
    credit = operator @ readings
    apart_from_it = np.stack(credits) - credit
    covariance += apart_from_it.T @ (np.array(list(weights.values()))[:, None] * apart_from_it)
    scatter = operator * np.concatenate([spread, noise_of_draws, [0]]) @ operator.T
    return Estimate(credit, covariance, scatter, operator, min(dof, len(observe) - 1))


def _condition(prior: np.ndarray, groups: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The linear map from (in-run, effects, total) to the posterior mean, and the posterior covariance.

    `groups` [effects, contributors] says whom each effect sums, `error` [effects] how far it may be off, squared.
    """
    observe, noise = np.vstack([groups, np.ones(len(prior))]), np.diag([*error, 0.0])
    gain = prior @ observe.T @ np.linalg.pinv(observe @ prior @ observe.T + noise, hermitian=True)
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
    distance: np.ndarray, spread: np.ndarray, rows: np.ndarray, observe: np.ndarray, kinds: np.ndarray
) -> dict[tuple[float, tuple[float, ...]], float]:
    """b², and π² or σ² of each effect by its kind, on a grid, with their posterior weights.

    `distance` [effects] is from in-run, `observe` [effects, contributors] says whom an effect sums, `kinds` [effects]
    whether it is of the probe (0) or of a design (1).
    """
    sizes = observe @ rows
    scale = float((distance**2 / sizes).mean())
    known, per_row = observe @ np.diag(spread) @ observe.T, observe @ np.diag(rows) @ observe.T
    present, place = np.unique(kinds, return_inverse=True)
    logs = {}
    for off, *apart in product(scale * GRID, repeat=1 + len(present)):
        level = np.array(apart)[place]
        covariance = known + off * per_row + np.diag(level * sizes)
        fit = np.linalg.slogdet(covariance)[1] + distance @ np.linalg.solve(covariance, distance)
        wide = (np.log(np.array([off, *apart]) / scale / PRIOR) ** 2).sum() / WIDTH**2
        logs[float(off), tuple(level.tolist())] = -(fit + wide) / 2
    top = max(logs.values())
    weights = {key: float(np.exp(value - top)) for key, value in logs.items()}
    return {key: value / sum(weights.values()) for key, value in weights.items()}
