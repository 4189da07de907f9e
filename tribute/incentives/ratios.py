"""Ratios of summed pay, with an attack ÷ without it, and their bootstrap over paired draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tribute.incentives.draws import Draw

RESAMPLED = 2000
LOWER, UPPER = 2.5, 97.5
"""Percentiles of the bootstrap's ratios: a 95 % interval."""
CHOOSER = "chooser"


@dataclass(frozen=True)
class Ratio:
    """Summed attacked ÷ summed honest pay, with a 95 % interval by a paired bootstrap of the draws."""

    ratio: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Summary:
    """What the draws of one attack say."""

    attack: str
    defence: str
    draws: int
    exact: int
    """Draws in which the ratio is 1 by construction."""
    removed: float
    displaced: float
    credit: Ratio
    """By credit itself."""
    certain: Ratio
    """By credit less one standard error."""
    content: Ratio
    victim: Ratio
    """The victim's credit."""
    price: float
    """Of honest rows, the part that is not trained on where nobody attacks."""
    loss: float
    """Attacked less honest, nats; above 0: the model is worse."""


def summarise(draws: Sequence[Draw]) -> Summary:
    """The ratios of one attack's draws."""
    return Summary(
        attack=draws[0].attack,
        defence=draws[0].defence,
        draws=len(draws),
        exact=sum(draw.exact for draw in draws),
        removed=float(np.mean([draw.removed for draw in draws])),
        displaced=float(np.mean([draw.displaced for draw in draws])),
        credit=paired_ratio([draw.credit for draw in draws]),
        certain=paired_ratio([draw.certain for draw in draws]),
        content=paired_ratio([draw.content for draw in draws]),
        victim=paired_ratio([draw.victim_credit for draw in draws]),
        price=float(np.mean([draw.price for draw in draws])),
        loss=float(np.mean([draw.loss[1] - draw.loss[0] for draw in draws])),
    )


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Σ attacked ÷ Σ honest of pairs [honest, attacked]; inf where nothing was earned honestly.

    Resamples in which nobody earned anything have no ratio and are left out of the interval.
    """
    table = np.array(pairs, dtype=float)
    chosen = np.random.default_rng(0).integers(len(table), size=(RESAMPLED, len(table)))
    sums = table[chosen].sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = sums[:, 1] / sums[:, 0]
        ratio = float(table[:, 1].sum() / table[:, 0].sum())
    # No mean of two ratios: one of them may be infinite.
    return Ratio(ratio, *(float(np.nanpercentile(ratios, at, method="nearest")) for at in (LOWER, UPPER)))


def choose(draws: Mapping[str, Sequence[Draw]]) -> list[Summary]:
    """An attacker who tries every attack in every other world, and makes the one that earned most in the others.

    By credit less an error, as policies pay. Nothing with fewer than two worlds or attacks.
    """
    tried = {name: [draw for draw in group if draw.seed % 2 == 0] for name, group in draws.items()}
    left = {name: [draw for draw in group if draw.seed % 2] for name, group in draws.items()}
    names = [name for name in draws if tried[name] and left[name]]
    if len(names) < 2:
        return []
    best = max(names, key=lambda name: paired_ratio([draw.certain for draw in tried[name]]).ratio)
    return [replace(summarise(left[best]), attack=f"{CHOOSER} ({best})")]
