"""How strongly to damp, picked on retrainings: nothing else says how far a training stopped from its optimum."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

DAMPINGS = tuple(10.0 ** (half / 2) for half in range(-2, 9))
"""0.1 to 10,000 times the mean eigenvalue, two a decade."""


@dataclass(frozen=True)
class Damping:
    """What the retrainings showed to be best."""

    damping: float
    slope: float
    """Measured by predicted change of an answer's loss: predictions are multiplied by it."""
    lds: float
    """Mean over the answers of the rank correlation between predicted and retrained loss.

    Each retraining is predicted by damping and slope of the others: the best of a grid always looks good on what it
    was picked on.
    """
    retrainings: int


def pick_damping(predicted: Mapping[float, np.ndarray], measured: np.ndarray) -> Damping:
    """The damping whose predictions rank the retrainings as they came out.

    `predicted` by damping, and `measured`: an answer's loss in nats after a retraining, [retrainings, answers]. Only
    differences between retrainings count, so predictions may leave out what is common to all of them.
    """
    moved = {damping: changes - changes.mean(0) for damping, changes in predicted.items()}
    best, slope = _fit(moved, measured)
    unseen = np.stack([_unseen(moved, measured, place) for place in range(len(measured))])
    return Damping(best, slope, linear_datamodelling_score(unseen, measured), len(measured))


def _unseen(moved: Mapping[float, np.ndarray], measured: np.ndarray, place: int) -> np.ndarray:
    """What a retraining does to the answers by damping and slope of all others, [answers]."""
    others = np.arange(len(measured)) != place
    best, slope = _fit({damping: changes[others] for damping, changes in moved.items()}, measured[others])
    return np.asarray(slope * moved[best][place])


def _fit(predicted: Mapping[float, np.ndarray], measured: np.ndarray) -> tuple[float, float]:
    """The best damping, and the slope of measured on predicted."""
    ranks = {damping: linear_datamodelling_score(changes, measured) for damping, changes in predicted.items()}
    best = max(ranks, key=lambda damping: ranks[damping])
    centred, truth = (losses - losses.mean(0) for losses in (predicted[best], measured))
    return best, float((centred * truth).sum() / (centred**2).sum())


def linear_datamodelling_score(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Mean over the answers of the rank correlation over retrainings (Park et al. 2023).

    Both [retrainings, answers]; answers that no retraining changed are left out. All answers at once, as leaving one
    out asks for it some hundred times.
    """
    a, b = (stats.rankdata(losses, axis=0) - (len(losses) + 1) / 2 for losses in (predicted, measured))
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return float(((a * b).sum(0)[size > 0] / size[size > 0]).mean())
