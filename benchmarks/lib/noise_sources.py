"""Where the noise of equal names' credit comes from. See names.py."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from lib.row_evidence import walk_of
from lib.synthetic import EQUAL
from lib.synthetic_trials import Trial

CROSSED = 3
"""Starts of the adapter, each trained with as many orders of batches."""


def noise_lines(trials: Sequence[Trial]) -> Iterator[str]:
    """An analysis of variance of dealt worlds."""
    yield "### Where the noise of equal deals comes from"
    yield ""
    yield (
        f"The same dealt worlds, names of {EQUAL} rows, two seeds, no budget. Standard deviations ÷ the mean credit, "
        "from mean variances. *Scatter*: of the names' credits. What of it other *seeds*, other *draws* of the "
        "stand-in and other *evaluation rows* (the gain given) would change, and the *rest*: which rows a name was "
        "dealt, and where both witnesses are wrong. A seed decides where the adapter starts and in which order the "
        f"batches come: {CROSSED} starts were crossed with {CROSSED} orders, and a two-way analysis of variance of "
        "in-run credit says what each of them changes in one training."
    )
    yield ""
    yield "| scatter | seeds | draws | evaluation rows | rest | one training: start | order | both together |"
    yield "|---" * 8 + "|"
    parts = np.mean([[*one_way(one), *two_way(one)] for one in trials], axis=0)
    parts = np.insert(parts, 4, parts[0] - parts[1:4].sum())
    yield "| " + " | ".join(f"{np.sqrt(max(part, 0)):.2f}" for part in parts) + " |"


def one_way(one: Trial) -> list[float]:
    """Variances of a name's credit, in squares of the mean credit: between names, by seeds, draws and evaluation."""
    rows = one.evidence.by_row()
    names = np.eye(one.names)[one.owner]
    credit, folds = rows.mean @ names, rows.table.folds @ names
    apart = folds - rows.table.folds.sum(1)[:, None] * credit / one.evidence.gain
    sums = (rows.table.credit @ names, rows.table.draws @ names, apart)
    parts = [credit.var(ddof=1), *((part.var(0, ddof=1) / len(part)).mean() for part in sums)]
    return [float(part) / float(credit.mean()) ** 2 for part in parts]


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
