"""Brute force and estimates of a causal world, kept. See causal.py.

Truth and estimates are measured on the sample; of a made-up world the truth of fresh rows is known too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lib.causal_worlds import CausalWorld
from lib.row_evidence import Evidence, of_world, rate_designs
from lib.stored import Stored
from tribute.attribution.gradients.sample import FOLDS
from tribute.attribution.retraining import designs
from tribute.attribution.shares.estimate import Estimate
from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit
from tribute.attribution.shares.shares import clipped_shares

FIRST_SEED = 10
"""Of the truth's trainings: no estimate has seen them."""
AVERAGED = range(2000, 2016)
"""Repetitions that say what the memory says of draws on average."""
NORMAL = float(np.sqrt(2 / np.pi))
"""Mean absolute error of a normal error of 1."""


@dataclass(frozen=True)
class Truth:
    """Repetitions of the rate design of names, scaled to the gain."""

    effects: np.ndarray
    """Nats [repetitions, names]."""
    fall: np.ndarray
    """What each evaluation row's loss falls by, mean over the repetitions' seeds, nats."""

    @property
    def shares(self) -> np.ndarray:
        """[names]."""
        return clipped_shares(self.effects.mean(0))

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of the shares, by the jackknife."""
        count = len(self.effects)
        left = np.stack([clipped_shares(np.delete(self.effects, one, axis=0).mean(0)) for one in range(count)])
        return np.asarray(np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0)))

    @property
    def own_error(self) -> float:
        """Σ of the shares' errors, as a mean absolute one."""
        return float(NORMAL * self.errors.sum())

    @property
    def sure(self) -> float:
        """The gain in its standard errors over evaluation rows."""
        return float(self.fall.mean() / (self.fall.std(ddof=1) / np.sqrt(len(self.fall))))

    def misses(self, credit: np.ndarray) -> float:
        """Σ|error| of the shares, from credit in nats [names]."""
        return float(np.abs(clipped_shares(credit) - self.shares).sum())


@dataclass(frozen=True)
class Trial:
    """A world and what is kept of it."""

    world: CausalWorld
    stored: Stored

    @cached_property
    def key(self) -> str:
        """The digest of rows and settings."""
        config = self.world.config.model_dump(mode="json", exclude={"base", "seeds", "timeout_minutes"})
        rows = [[part.tokens, part.targets] for part in (self.world.train, self.world.sample, self.world.fresh)]
        return hashlib.sha256(json.dumps([config, rows, self.world.owner.tolist()]).encode()).hexdigest()

    def truth(self, repetitions: int, fresh: bool = False, less_luck: bool = False) -> Truth:
        """Of the sample, or of fresh rows; a repetition has a seed of its own.

        `less_luck` takes off what the memory says of a repetition's draws, less what it says of draws on average: that
        is 0 on average, whatever the memory is worth.
        """
        count, effects, falls = len(self.world.sample), [], []
        for number in range(repetitions):
            losses = self.repetition(number, FIRST_SEED + number)["losses"]
            losses = losses[:, count:] if fresh else losses[:, :count]
            runs = designs.rate_design(self.world.owner, number, [0])
            effects.append(designs.rate_effects(runs, -losses[2:].mean(1)))
            falls.append(losses[0] - losses[1])
        fall = np.mean(falls, axis=0)
        if less_luck:
            said = self.said_of_draws(range(repetitions))
            effects = list(np.stack(effects) - (said - self.said_of_draws(AVERAGED).mean(0)))
        return Truth(np.asarray(effects) * fall.mean() / np.mean(effects, axis=0).sum(), fall)

    def repetition(self, number: int, seed: int) -> Mapping[str, np.ndarray]:
        """`losses` [2 + runs, evaluation rows]: trained on nothing, on all rows, and on what the design keeps."""

        def make() -> Mapping[str, Any]:
            world = self.world
            kept = [run.run.kept for run in designs.rate_design(world.owner, number, [seed])]
            ends = [np.zeros(len(world.owner), bool), np.ones(len(world.owner), bool)]
            return {"losses": world.losses(np.stack(ends + kept), seed, world.sample, world.fresh).astype(np.float32)}

        return self.stored.arrays(self.key, "repetition", [number, seed], make)

    def said_of_draws(self, numbers: Sequence[int]) -> np.ndarray:
        """The memory's effects of names in these repetitions, at the scale of the fine-tune, nats [numbers, names]."""

        def make() -> Mapping[str, Any]:
            memory, said = self.world.stand_in().fitted(self.evidence().gain), []
            for number in numbers:
                runs = designs.rate_design(self.world.owner, number, [0])
                utilities = [-memory.losses(run.run.kept.astype(float)).mean() for run in runs]
                said.append(designs.rate_effects(runs, np.array(utilities)))
            return {"said": np.stack(said)}

        kept = self.stored.arrays(self.key, "what the memory says of draws", list(numbers), make)["said"]
        return np.asarray(kept * self.evidence().gain / self.evidence().stand_in.gained)

    def evidence(self) -> Evidence:
        """What two seeds and the stand-in say of every row."""

        def make() -> Mapping[str, Any]:
            found, _ = of_world(self.world)
            walks = {
                f"{name}_{place}": getattr(walk, name)
                for place, walk in enumerate(found.walks) for name in ("seed", "credit", "folds", "measured")
            }  # fmt: skip
            return walks | vars(found.stand_in)

        kept = self.stored.arrays(self.key, "evidence", [], make)
        walks = [
            InRunCredit(int(kept[f"seed_{place}"]), kept[f"credit_{place}"], kept[f"folds_{place}"], float(measured))
            for place, measured in enumerate((kept["measured_0"], kept["measured_1"]))
        ]
        stand_in = StandInCredit(
            kept["draws"], kept["folds"], kept["clusters"], float(kept["wanted"]), float(kept["gained"])
        )
        return Evidence(self.world.train.slices, walks, stand_in)

    def estimate(self, choice: bool = True) -> Estimate:
        """As a run without a budget makes it; without `choice` as if the evaluation rows were all that there are."""
        by_row = self.evidence().by_row()
        if not choice:
            alike = np.tile(by_row.table.credit.mean(0), (FOLDS, 1))
            by_row = replace_folds(by_row, alike)
        return by_row.named(self.world.owner)

    def budgeted(self, budget: float) -> tuple[np.ndarray, float]:
        """Credits of names with retrainings for a budget, nats [names], and how many trainings these were."""

        def make() -> Mapping[str, Any]:
            evidence = self.evidence()
            stand_in = self.world.stand_in().fitted(evidence.gain)
            seen, spent = rate_designs(self.world, evidence, stand_in, budget)
            return {"credit": evidence.by_row(seen).named(self.world.owner).credit, "spent": spent}

        kept = self.stored.arrays(self.key, "budget", [budget], make)
        return kept["credit"], float(kept["spent"])

    def methods(self) -> Mapping[str, np.ndarray]:
        """Method → credits of names, nats."""
        found = self.evidence()
        in_run = np.mean([walk.credit * walk.scale for walk in found.walks], axis=0)
        rows = {
            "rows counted": np.ones(len(in_run)),
            "tokens counted": self.world.train.lengths().astype(float),
            "in-run, 2 seeds": in_run,
            "memory": found.stand_in.credit,
        }
        named = {name: np.bincount(self.world.owner, weights=values) for name, values in rows.items()}
        return named | {"in-run and memory, as paid": self.estimate().credit}


def replace_folds(by_row: Any, folds: np.ndarray) -> Any:
    """The same estimate with other folds."""
    return type(by_row)(replace(by_row.table, folds=folds), by_row.clusters, by_row.effects[-1], by_row.designs)
