"""What twice the real rows earn, by the product's credits and by brute force. See incentives.py.

Brute force trains the stand-in again and again on subsets of the rows: repetitions of the rate design, the truth of
fidelity.py and names.py, whose sums telescope to what all rows gain and in which no name decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from tribute.attribution.credit import Probe
from tribute.attribution.retraining.designs import rate_design, rate_effects
from tribute.attribution.shares.shares import clipped_shares
from tribute.contributions.rows import ContributedRow
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.pay import earnings, measure, probe_of
from tribute.incentives.screened import trained_rows
from tribute.incentives.suite import Suite
from tribute.incentives.world import ATTACKER, draw_world

DOUBLING = ATTACKS["honest-doubling"]
REPETITIONS = 4


@dataclass(frozen=True)
class Doubled:
    """Parts of the pool of whoever doubles its rows: [before, after]."""

    certain: tuple[float, float]
    credit: tuple[float, float]
    content: tuple[float, float]
    true: tuple[float, float]
    """By brute force."""
    true_halves: tuple[tuple[float, float], tuple[float, float]]
    """By either half of its repetitions."""


def double(suite: Suite, seed: int) -> Doubled:
    """One contributor of a world brings as many new rows of the same kind."""
    world = draw_world(suite.corpus, seed, suite.size)
    uploads = (world.uploads, DOUBLING.uploads(world, Random(f"{DOUBLING.name} {seed}")))
    rows = [trained_rows(world, files, suite.tokenizer, suite.screening).rows for files in uploads]
    length = probe_of(world, rows[0], suite.embeddings).length
    probes = [probe_of(world, part, suite.embeddings, length) for part in rows]
    paid = [earnings(measure(probe, part).claims, {}, {}) for probe, part in zip(probes, rows, strict=True)]
    effects = [brute_force(probe, part) for probe, part in zip(probes, rows, strict=True)]
    halves = [[_share(part[start::2]) for part in effects] for start in range(2)]
    return Doubled(
        certain=_pair([one.certain[ATTACKER] for one in paid]),
        credit=_pair([one.credit[ATTACKER] for one in paid]),
        content=_pair([one.content[ATTACKER] for one in paid]),
        true=_pair([_share(part) for part in effects]),
        true_halves=(_pair(halves[0]), _pair(halves[1])),
    )


def brute_force(probe: Probe, rows: Sequence[ContributedRow]) -> np.ndarray:
    """Each repetition's effects, nats [repetitions, names], the one that doubles first."""
    names = list(dict.fromkeys([ATTACKER, *(row.contributor_id for row in rows)]))
    owner = np.array([names.index(row.contributor_id) for row in rows])
    effects = []
    for repetition in range(REPETITIONS):
        design = rate_design(owner, repetition, [0])
        utility = [-probe.losses(run.run.kept.astype(float)).mean() for run in design]
        effects.append(rate_effects(design, np.array(utility)))
    return np.array(effects)


def _share(effects: np.ndarray) -> float:
    return float(clipped_shares(effects.mean(0))[0])


def _pair(values: Sequence[float]) -> tuple[float, float]:
    before, after = values
    return before, after
