"""How much an attribution computes: counts of passes over rows, before anything is measured. Knows no seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from tribute.attribution.credit.inrun import PIECES
from tribute.attribution.effects.newton import DRAWS, DRAWS_PER_ROW, FLOATS
from tribute.attribution.gradients.sample import FOLDS
from tribute.attribution.retraining.jobs import COALITIONS, LARGE, LEFT_OUT, REMOVALS, REMOVED, SEEDS
from tribute.config import AttributionConfig

LOOKS = 3 * PIECES + 1
"""Times that in-run credit looks at the evaluation: twice a piece and once at the end, and about once more a piece,
since some are halved."""


@dataclass(frozen=True)
class Workload:
    """The counts of one run."""

    columns: int
    """Means of the evaluation loss whose gradients are taken at once: slices and folds."""
    looks: float
    """At the whole evaluation, by each seed's in-run credit."""
    checked: int
    """Seeds that are trained with planted controls, and whose trainings predict effects."""
    draws: int
    """Gradients of drawn labels that predict effects, held at once."""
    retrained: float
    """What all retrainings add up to, in trainings on all rows."""


def workload(
    config: AttributionConfig, seeds: int, rows: Mapping[str, int], evaluation: Mapping[str, int], trained: int
) -> Workload:
    """From rows by contributor, evaluation rows by slice, and the number of trained parameters."""
    checked, count = min(SEEDS[config.validation], seeds), sum(rows.values())
    return Workload(
        columns=len(evaluation) + FOLDS,
        looks=LOOKS * min(1.0, config.sample / max(1, sum(evaluation.values()))),
        checked=checked,
        draws=min(DRAWS, DRAWS_PER_ROW * count, max(1, FLOATS // trained)),
        retrained=config.budget + _validated(config, checked, [own / count for own in rows.values()]),
    )


def _validated(config: AttributionConfig, seeds: int, parts: list[float]) -> float:
    """Of contributors with these parts of the rows; where fewer than all are left out, the mean one stands for them."""
    large = [part for part in parts if part >= LARGE]
    left_out = min(LEFT_OUT[config.validation], len(large)) * seeds
    mean = sum(large) / len(large) if large else 0.0
    if config.validation != "full":
        return left_out * (1 - mean)
    removed = REMOVALS * min(2, seeds) * (1 - REMOVED)
    return left_out * (1 - mean) + left_out * mean + removed + COALITIONS * len(parts) / 2
