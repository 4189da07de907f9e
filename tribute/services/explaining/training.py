"""The field `training` of an addendum: what moved an answer, or why nothing is said. Knows no models and no store.

    share_k = credit_k ÷ gain               credits are the stand-in's, scaled so that they sum to the gain
    low, high = share ∓ h_k · |a|_k ÷ (A_k · gain)

Where sources were retrieved, their exact credits join: an answer is worth the adapter's gain over the base and the
sources' gain over none, each in nats where it is above 0, so what they gained divides its price between them. `part`
is what the named credits are of both; the rest goes by the credit on the evaluation. Where the adapter's gain is not
known, nobody is named.

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


@dataclass(frozen=True)
class Retrieved:
    """What retrieved rows moved, exactly, in 10⁻¹² nats: contributor → credit, and the sum of those above 0."""

    credits: Mapping[str, int]
    positive: int

    @property
    def gain(self) -> int:
        """log p(answer, with the sources) − log p(answer, without them)."""
        return sum(self.credits.values())


NOTHING_RETRIEVED = Retrieved({}, 0)


def explained(
    answer: Explained, mask: str, probability: int = STEPS, retrieved: Retrieved = NOTHING_RETRIEVED
) -> Training:
    """What moved an answer. `mask` hides contributors from the payer, see meter.masked."""
    steps, reason = _told(answer)
    context = max(retrieved.gain, 0)
    gains = {"gain": nats(_steps(answer.gain)), "reached": nats(_steps(answer.reached))}
    if context:
        gains["retrieved"] = nats(context)
    if reason and not context:
        return unexplained(reason, probability, gains)
    named = int(steps.sum()) + context
    whole = named + (max(_steps(answer.gain), 0) if reason else 0)
    credits = _by_contributor(steps, answer.contributors)
    if context:
        for name, own in retrieved.credits.items():
            signed, size = credits.get(name, (0, 0))
            credits[name] = (signed + own, size)
    lines = [_line(name, *credits[name], whole, answer, mask) for name in credits]
    lines.sort(key=lambda line: (-Fraction(line["credit"]), line["contributor"]))
    positive = int(steps[steps > 0].sum()) + (retrieved.positive if context else 0)
    figures = Figures(EXPLAINED, probability, positive, STEPS * named // whole)
    return Training(_field(figures, gains, lines), figures, credits)


def _told(answer: Explained) -> tuple[np.ndarray, str]:
    """The rows' credits for the training in 10⁻¹² nats; all 0, and why, where they name nobody."""
    total, nothing = float(answer.credits.sum()), np.zeros(len(answer.credits), dtype=np.int64)
    if answer.reached < LEAST * answer.gain or total <= 0:
        return nothing, TOO_LITTLE
    steps = np.rint(answer.credits * (answer.gain / total * STEPS)).astype(np.int64)
    return (steps, "") if int(steps.sum()) > 0 else (nothing, NO_GAIN)


def unexplained(status: str, probability: int = STEPS, gains: Mapping[str, str] | None = None) -> Training:
    """Why nobody is named for an answer."""
    figures = Figures(status, probability, 0, STEPS)
    return Training(_field(figures, gains or {}, []), figures, {})


def _by_contributor(steps: np.ndarray, contributors: Sequence[str]) -> dict[str, tuple[int, int]]:
    names, places = np.unique(np.array(contributors), return_inverse=True)
    signed, absolute = np.zeros(len(names), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    np.add.at(signed, places, steps)
    np.add.at(absolute, places, np.abs(steps))
    pairs = zip(names.tolist(), signed.tolist(), absolute.tolist(), strict=True)
    return {name: (own, size) for name, own, size in pairs if size}


def _line(name: str, own: int, size: int, whole: int, answer: Explained, mask: str) -> dict[str, str]:
    reach = answer.reach.get(name, 0.0) * size
    ends = {"share": own, "low": own - reach, "high": own + reach}
    return {
        "contributor": masked(mask, name),
        "credit": nats(own),
        "absolute": nats(size),
        **{key: f"{value / whole:z.6f}" for key, value in ends.items()},
    }


def _field(figures: Figures, gains: Mapping[str, str], lines: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "status": figures.status,
        "method": METHOD,
        "probability": nats(figures.probability),
        "positive": nats(figures.positive),
        "part": nats(figures.part),
        **gains,
        "contributors": lines,
    }


def _steps(amount: float) -> int:
    return round(amount * STEPS)
