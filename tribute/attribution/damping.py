"""How strongly to damp, picked on retrainings: nothing else says how far a training stopped from its optimum."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tribute.attribution.measures import rank_correlation

DAMPINGS = tuple(10.0 ** (half / 2) for half in range(-2, 9))
"""0.1 to 10,000 times the mean eigenvalue, two a decade."""


@dataclass(frozen=True)
class Damping:
    """What the retrainings showed to be best."""

    damping: float
    slope: float
    """Measured by predicted change of an answer's loss: predictions are multiplied by it."""
    lds: float
    """Mean over the answers of the rank correlation between predicted and retrained loss."""
    retrainings: int


def pick_damping(predicted: Mapping[float, np.ndarray], measured: np.ndarray) -> Damping:
    """The damping whose predictions rank the retrainings as they came out.

    `predicted` by damping, and `measured`: an answer's loss in nats after a retraining, [retrainings, answers]. Only
    differences between retrainings count, so predictions may leave out what is common to all of them.
    """
    ranks = {damping: linear_datamodelling_score(one, measured) for damping, one in predicted.items()}
    best = max(ranks, key=lambda damping: ranks[damping])
    centred, truth = (one - one.mean(0) for one in (predicted[best], measured))
    return Damping(best, float((centred * truth).sum() / (centred**2).sum()), ranks[best], len(measured))


def linear_datamodelling_score(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Mean over the answers of the rank correlation over retrainings (Park et al. 2023).

    Both [retrainings, answers]; answers that no retraining changed are left out.
    """
    found = [rank_correlation(*pair) for pair in zip(predicted.T, measured.T, strict=True)]
    return float(np.mean([one for one in found if one is not None]))
