"""A synthetic world's truth and what was measured of its rows, kept, so that another estimator takes seconds.

What is kept is found by the world's rows and settings and by the code that measures, not by the code that estimates.
See names.py.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lib.row_evidence import SEEDS, Evidence, of_world, rate_designs, walked
from lib.stored import Stored
from lib.synthetic import CONFIG, SAMPLE, Kind, World
from tribute.attribution.retraining import designs
from tribute.attribution.shares.estimate import Design, Estimate
from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit
from tribute.attribution.shares.shares import clipped_shares
from tribute.closure import code_digest

TRUTH_RUNS, REPETITIONS, FIRST_SEED = 4096, 12, 10
"""Trainings of a world's truth, in at least so many repetitions, with seeds that no estimate has seen."""
MEASURED_BY = ("credit.inrun", "credit.stand_in", "credit.probe", "retraining.jobs")
"""Modules of the attribution column."""


@dataclass(frozen=True)
class Trial:
    """One world: its truth, and the estimates by budget and number of seeds."""

    kind: Kind
    even: bool
    names: int
    number: int
    stored: Stored

    @cached_property
    def world(self) -> World:
        """Made up from its number."""
        return World.of(self.kind, self.names, self.even, self.number)

    @property
    def owner(self) -> np.ndarray:
        """Each row's name, int [rows]."""
        return self.world.owner

    @cached_property
    def key(self) -> str:
        """The digest of rows and settings."""
        rows = [[row.tolist() for row in part.hidden or ()] for part in (self.world.train, self.world.sample)]
        facts = [CONFIG.model_dump(mode="json"), rows, self.owner.tolist()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def measured(self) -> str:
        """That, and of the code that measures."""
        return " ".join([self.key, *(code_digest(f"tribute.attribution.{module}") for module in MEASURED_BY)])

    @cached_property
    def _truth(self) -> Mapping[str, np.ndarray]:
        return self.stored.arrays(self.key, "truth", [TRUTH_RUNS, REPETITIONS], lambda: measured_truth(self.world))

    @property
    def truth(self) -> np.ndarray:
        """Nats of the sample's rows, [repetitions, names], scaled to what the fine-tune gained."""
        return self._truth["sample"]

    @property
    def fresh(self) -> np.ndarray:
        """The same of evaluation rows that no estimate has seen."""
        return self._truth["fresh"]

    def true(self) -> np.ndarray:
        """Shares, [names]."""
        return clipped_shares(self.truth.mean(0))

    def true_error(self) -> float:
        """Σ of the standard errors of the true shares, as a mean absolute error: by the jackknife."""
        count = len(self.truth)
        left = np.stack([clipped_shares(np.delete(self.truth, one, axis=0).mean(0)) for one in range(count)])
        errors = np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0))
        return float(np.sqrt(2 / np.pi) * errors.sum())

    @cached_property
    def evidence(self) -> Evidence:
        """What two seeds, and a stand-in that gains what they gained, say of every row."""

        def make() -> Mapping[str, Any]:
            return dict(vars(of_world(self.world)[0].stand_in))

        kept = self.stored.arrays(self.measured, "stand-in", SEEDS, make)
        said = StandInCredit(
            kept["draws"], kept["folds"], kept["clusters"], float(kept["wanted"]), float(kept["gained"])
        )
        return Evidence(self.world.train.slices, [self.walk(seed) for seed in SEEDS], said)

    def walk(self, seed: int) -> InRunCredit:
        """In-run credit of a seed."""
        kept = self.stored.arrays(self.measured, "in-run", [seed], lambda: vars(walked(self.world, seed)))
        return InRunCredit(seed, kept["credit"], kept["folds"], float(kept["measured"]))

    def seen(self, budget: float) -> tuple[list[Design], float]:
        """The repetitions that a budget pays for, and how many trainings these are."""

        def make() -> Mapping[str, Any]:
            probe = self.world.stand_in().fitted(self.evidence.stand_in.wanted)
            found, spent = rate_designs(self.world, self.evidence, probe, budget)
            return {name: np.stack([getattr(one, name) for one in found]) for name in fields_of(Design)} | {
                "spent": spent
            }

        if not budget:
            return [], 0.0
        kept = self.stored.arrays(self.measured, "budget", [budget], make)
        columns = [kept[name] for name in fields_of(Design)]
        return [Design(*parts) for parts in zip(*columns, strict=True)], float(kept["spent"])

    def estimate(self, budget: float = 0, seeds: int = len(SEEDS)) -> Estimate:
        """As a run makes it."""
        evidence = self.evidence
        if seeds != len(SEEDS):
            evidence = replace(evidence, walks=[self.walk(seed) for seed in range(seeds)])
        return evidence.by_row(self.seen(budget)[0]).named(self.owner)

    def misses(self, credit: np.ndarray) -> float:
        """Σ|error| of the shares, from credit in nats [names]."""
        return float(np.abs(clipped_shares(credit) - self.true()).sum())


def fields_of(kind: type) -> list[str]:
    """The names of a dataclass's fields."""
    return list(kind.__dataclass_fields__)  # type: ignore[attr-defined]


def measured_truth(world: World) -> dict[str, np.ndarray]:
    """Repetitions of a rate design of names, their mean scaled to the gain, of the `sample` and of `fresh` rows."""
    runs = len(designs.rate_design(world.owner, 0, [0]))
    effects, gains = [], []
    for number in range(max(REPETITIONS, TRUTH_RUNS // runs)):
        seed = FIRST_SEED + number
        design = designs.rate_design(world.owner, number, [seed])
        ends = np.stack([np.zeros(len(world.owner), bool), np.ones(len(world.owner), bool)])
        kept = np.vstack([ends, *(run.run.kept[None] for run in design)])
        losses = world.losses(kept, seed, world.sample, world.fresh)
        utility = -np.stack([losses[:, :SAMPLE].mean(1), losses[:, SAMPLE:].mean(1)], axis=1)
        effects.append(designs.rate_effects(design, utility[2:]))
        gains.append(utility[1] - utility[0])
    return dict(zip(("sample", "fresh"), scaled(np.array(effects), np.array(gains)), strict=True))


def scaled(effects: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Effects [repetitions, parts, names] whose mean sums to the gains [repetitions, parts], [parts, …]."""
    scale = gains.mean(0) / effects.mean(0).sum(1)
    return np.asarray(np.swapaxes(effects, 0, 1) * scale[:, None, None])
