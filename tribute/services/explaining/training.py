"""The field `training` of an addendum: what moved an answer, or why nothing is said. Knows no models and no store.

    share_k = credit_k ÷ gain               credits are the stand-in's, scaled so that they sum to the gain
    low, high = share ∓ h_k · |a|_k ÷ (A_k · gain)

gain is log p(answer, adapter) − log p(answer, base). The interval's half width is that of the contributor's credit on
the evaluation set, h_k, at the size of the credit that the answer has: |a|_k are the absolute credits of their rows on
the answer, A_k those on the evaluation set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tribute.services.meter import STEPS, Figures, Training, masked, nats

EXPLAINED, NO_GAIN, TOO_LITTLE = "explained", "no_gain", "stand_in_below_half"
NO_PROBABILITY, NOT_DRAWN, UNPAID, FAILED = "no_probability", "not_drawn", "unpaid", "failed"
"""What an addendum says of an answer: only the first pays by it, of the others the evaluation pool does; of those that
were not drawn, the drawn ones speak."""
LEAST = 0.5
"""The part of the gain that the stand-in has to reach."""
METHOD = "stand-in"


@dataclass(frozen=True)
class Explained:
    """The stand-in's credits on one answer, nats: the adapter's gain, the stand-in's, and each row's part of that."""

    gain: float
    reached: float
    credits: np.ndarray
    """Float [rows]."""
    contributors: Sequence[str]
    """Whose the rows are, [rows]."""
    reach: Mapping[str, float]
    """Contributor → h_k ÷ A_k, see above."""


def explained(answer: Explained, mask: str, probability: int = STEPS) -> Training:
    """What moved an answer. `mask` hides contributors from the payer, see meter.masked."""
    gains = {"gain": nats(_steps(answer.gain)), "reached": nats(_steps(answer.reached))}
    total = float(answer.credits.sum())
    if answer.reached < LEAST * answer.gain or total <= 0:
        return unexplained(TOO_LITTLE, probability, gains)
    steps = np.rint(answer.credits * (answer.gain / total * STEPS)).astype(np.int64)
    if int(steps.sum()) <= 0:
        return unexplained(NO_GAIN, probability, gains)
    credits = _by_contributor(steps, answer.contributors)
    lines = [_line(name, *credits[name], answer, mask) for name in credits]
    lines.sort(key=lambda line: (-Fraction(line["credit"]), line["contributor"]))
    figures = Figures(EXPLAINED, probability, int(steps[steps > 0].sum()))
    return Training(_field(figures, gains, lines), figures, credits)


def unexplained(status: str, probability: int = STEPS, gains: Mapping[str, str] | None = None) -> Training:
    """Why nobody is named for an answer."""
    figures = Figures(status, probability, 0)
    return Training(_field(figures, gains or {}, []), figures, {})


def _by_contributor(steps: np.ndarray, contributors: Sequence[str]) -> dict[str, tuple[int, int]]:
    names, places = np.unique(np.array(contributors), return_inverse=True)
    signed, absolute = np.zeros(len(names), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    np.add.at(signed, places, steps)
    np.add.at(absolute, places, np.abs(steps))
    pairs = zip(names.tolist(), signed.tolist(), absolute.tolist(), strict=True)
    return {name: (own, size) for name, own, size in pairs if size}


def _line(name: str, own: int, size: int, answer: Explained, mask: str) -> dict[str, str]:
    gain, reach = answer.gain * STEPS, answer.reach.get(name, 0.0) * size
    return {
        "contributor": masked(mask, name),
        "credit": nats(own),
        "absolute": nats(size),
        **{key: f"{value / gain:z.6f}" for key, value in (("share", own), ("low", own - reach), ("high", own + reach))},
    }


def _field(figures: Figures, gains: Mapping[str, str], lines: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "status": figures.status,
        "method": METHOD,
        "probability": nats(figures.probability),
        "positive": nats(figures.positive),
        **gains,
        "contributors": lines,
    }


def _steps(amount: float) -> int:
    return round(amount * STEPS)
