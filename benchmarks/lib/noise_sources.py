"""Where the noise of equal names' credit comes from. See names.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from lib.arena import Arena
from lib.arena_data import honest_deals
from lib.ground_truth import SEEDS
from lib.row_evidence import Evidence, of_arena, walk_of
from lib.synthetic import EQUAL
from lib.synthetic_trials import Trial

CROSSED = 3
"""Starts of the adapter, each trained with as many orders of batches."""


@dataclass(frozen=True)
class Sources:
    """Mean variances of a name's credit, in squares of the mean credit."""

    between: float
    """Of equal names' credits."""
    seeds: float
    draws: float
    evaluation: float

    @classmethod
    def of(cls, evidence: Evidence, owner: np.ndarray, dealt: int) -> "Sources":
        """By what varies in the table of row × seed; the names that count are the first `dealt`."""
        rows = evidence.by_row()
        names = (owner == np.arange(owner.max() + 1)[:, None]).astype(float)[:dealt]
        credit, folds = names @ rows.mean, rows.table.folds @ names.T
        apart = folds - rows.table.folds.sum(1)[:, None] * credit / evidence.gain
        means = [_of_mean(part) for part in (rows.table.credit @ names.T, rows.table.draws @ names.T, apart)]
        return cls(*(float(part) / float(credit.mean()) ** 2 for part in (credit.var(ddof=1), *means)))


def noise_lines(arenas: Sequence[Arena], trials: Sequence[Trial]) -> Iterator[str]:
    """An analysis of variance of equal deals, in arenas and in dealt worlds."""
    yield "### Where the noise of equal deals comes from"
    yield ""
    yield (
        f"Names of {EQUAL} honest rows dealt at random, two seeds, no budget. Standard deviations ÷ the mean credit, "
        "from mean variances. *Scatter*: of the names' credits. What of it other *seeds*, other *draws* of the "
        "stand-in and other *evaluation rows* (the gain given) would change, and the *rest*: which rows a name was "
        "dealt, and where both witnesses are wrong. A seed decides where the adapter starts and in which order the "
        f"batches come: in the dealt worlds {CROSSED} starts were crossed with {CROSSED} orders, and a two-way "
        "analysis of variance of in-run credit says what each of them changes in one training."
    )
    yield ""
    yield "| where | scatter | seeds | draws | evaluation rows | rest | one training: start | order | both together |"
    yield "|---" * 9 + "|"
    for arena in arenas:
        found = [
            Sources.of(of_arena(arena, pair), *deal)
            for pair in combinations(range(SEEDS), 2)
            for deal in honest_deals(arena.contributors, EQUAL)
        ]
        yield f"| {arena.name} | " + " | ".join(cells(found)) + " | – | – | – |"
    found = [Sources.of(one.evidence, one.owner, one.names) for one in trials]
    crossed = np.sqrt(np.mean([two_way(one) for one in trials], axis=0))
    yield "| dealt worlds | " + " | ".join([*cells(found), *(f"{part:.2f}" for part in crossed)]) + " |"


def cells(found: Sequence[Sources]) -> list[str]:
    """Standard deviations from mean variances."""
    between, *parts = np.mean([[one.between, one.seeds, one.draws, one.evaluation] for one in found], axis=0)
    return [f"{np.sqrt(max(part, 0)):.2f}" for part in (between, *parts, between - sum(parts))]


def two_way(one: Trial) -> np.ndarray:
    """Variances of in-run credit by start, by order and by both together, in squares of the mean credit, [3]."""

    def make() -> Mapping[str, np.ndarray]:
        pairs = product(range(CROSSED), repeat=2)
        credits = [walk_of(one.world, *one.world.trained(*pair)).scores.sum(1) for pair in pairs]
        return {"credit": np.reshape(credits, (CROSSED, CROSSED, -1))}

    rows = one.stored.arrays(one.measured, "crossed", [CROSSED], make)["credit"]
    credit = rows @ np.eye(one.names)[one.owner]
    starts, orders, whole = credit.mean(1), credit.mean(0), credit.mean((0, 1))
    left = credit - starts[:, None] - orders[None] + whole
    both = (left**2).sum((0, 1)) / (CROSSED - 1) ** 2
    # A mean over the other factor's levels still holds its part of what both together make.
    main = [part.var(0, ddof=1) - both / CROSSED for part in (starts, orders)]
    return np.array([np.maximum(part.mean(), 0) for part in (*main, both)]) / float(whole.mean()) ** 2


def _of_mean(sums: np.ndarray) -> float:
    """The variance of the mean of [replicates, names], averaged over names."""
    return float((sums.var(0, ddof=1) / len(sums)).mean())
