"""Predicted effects against retraining: leave-one-out and random removals, in the same run and on fresh seeds.

*Same run*: a seed's scores against retrainings of that seed, mean over seeds. *Fresh*: scores that hold nothing of the
seed whose retrainings they are held against, mean over all such pairs. See effects.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lib.arena import Arena
from lib.ground_truth import SEEDS, done, in_run, removals
from tribute.attribution.card import metrics
from tribute.attribution.retraining import designs

Pair = tuple[np.ndarray, int]
"""Scores [rows] or effects [contributors], and the seed whose retrainings they are held against."""


@dataclass(frozen=True)
class Score:
    """A score; only effects in nats have a slope, only scores of rows say what random removals do."""

    name: str
    fresh: Sequence[Pair]
    same: Sequence[Pair] = field(default=())
    nats: bool = True
    of_rows: bool = True


@dataclass(frozen=True)
class Retrained:
    """What retraining measured, by seed."""

    owner: np.ndarray
    effects: dict[int, np.ndarray]
    """Of leaving each contributor out, nats [contributors]."""
    stays: np.ndarray
    """Which rows a random removal leaves, [removals, rows]."""
    removed: dict[int, np.ndarray]
    """U after each removal, nats; seeds without their removals are absent."""
    planted: np.ndarray
    """Whether a row is of the planted contributor, whose labels are wrong, [rows]."""

    @classmethod
    def of(cls, arena: Arena) -> "Retrained":
        """Whatever was collected."""
        seeds = [seed for seed in range(SEEDS) if done(arena, removals(arena, seed))]
        return cls(
            arena.owner,
            {seed: left_out(arena, seed) for seed in range(SEEDS)},
            np.stack([run.kept for run in removals(arena, 0)]).astype(float),
            {seed: np.array([arena.utility(run.kept, seed) for run in removals(arena, seed)]) for seed in seeds},
            arena.owner == len(arena.names) - 1,
        )

    def clean(self, values: np.ndarray) -> np.ndarray:
        """Without what the number of the planted contributor's rows explains, [removals]."""
        return metrics.residual(values, self.stays @ self.planted)

    def figures(self, score: Score, values: np.ndarray, seed: int) -> list[float | None]:
        """Leave-one-out by rank and slope, removals by rank, with the planted contributor and without."""
        predicted = np.bincount(self.owner, weights=values) if score.of_rows else values
        found = [
            metrics.rank_correlation(predicted, self.effects[seed]),
            metrics.slope(predicted, self.effects[seed]) if score.nats else None,
        ]
        if seed not in self.removed or not score.of_rows:
            return [*found, None, None]
        predicted, measured = self.stays @ values, self.removed[seed]
        clean = metrics.rank_correlation(self.clean(predicted), self.clean(measured))
        return [*found, metrics.rank_correlation(predicted, measured), clean]


def left_out(arena: Arena, seed: int) -> np.ndarray:
    """The effect of leaving each contributor out, nats, [contributors]."""
    runs = designs.singles_and_leave_outs(arena.owner, seed)[1]
    return np.array([arena.utility(arena.all_rows(), seed) - arena.utility(run.kept, seed) for run in runs])


def scores(arena: Arena, retrained: Retrained) -> Iterator[Score]:
    """Newton steps, replay, in-run and the simple scores."""
    seeds = range(SEEDS)
    for name, found in (
        ("Newton step", np.stack([arena.stepped(one) for one in seeds])),
        ("replay", np.stack([arena.replayed(one) for one in seeds])),
        ("in-run", in_run(arena)),
    ):
        of_rows = found.shape[1] == len(arena)
        same = [(found[one], one) for one in seeds]
        others = [(found[one], tested) for one in range(len(found)) for tested in seeds if one != tested]
        yield Score(f"**{name}, one seed**", others, same, of_rows=of_rows)
        mean = [(np.delete(found, tested, axis=0).mean(0), tested) for tested in seeds]
        yield Score(f"{name}, mean of the {len(found) - 1} other seeds", mean, of_rows=of_rows)
    yield Score("rows counted", [(np.ones(len(arena)), one) for one in seeds], nats=False)
    planted = -retrained.planted.astype(float)
    yield Score("rows of the planted contributor counted", [(planted, one) for one in seeds], nats=False)


def effect_lines(arena: Arena) -> Iterator[str]:
    """The table, the ceiling last."""
    retrained = Retrained.of(arena)
    heads = ("leave-one-out, rank", "slope", "LDS", "without the planted")
    yield "| score | " + " | ".join(f"{when}: {head}" for when in ("same run", "fresh seed") for head in heads) + " |"
    yield "|---" * 9 + "|"
    for one in scores(arena, retrained):
        yield line(one.name, [mean(retrained, one, pairs) for pairs in (one.same, one.fresh)])
    losses = list(retrained.removed.values())
    between = [
        metrics.pairwise(list(retrained.effects.values())),
        None,
        metrics.pairwise(losses),
        metrics.pairwise([retrained.clean(one) for one in losses]),
    ]
    yield line("ceiling: one seed's retrainings against another's", [[None] * 4, between])


def mean(retrained: Retrained, score: Score, pairs: Sequence[Pair]) -> list[float | None]:
    """Each figure's mean over the pairs in which it was measured."""
    found = [retrained.figures(score, values, seed) for values, seed in pairs]
    return [metrics.mean(column) for column in zip(*found, strict=True)] or [None] * 4


def line(name: str, figures: Sequence[Sequence[float | None]]) -> str:
    """A line of the table."""
    cells = ["–" if one is None else f"{one:.2f}" for part in figures for one in part]
    return f"| {name} | " + " | ".join(cells) + " |"
