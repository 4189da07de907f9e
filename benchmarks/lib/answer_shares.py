"""Shares of single answers as receipts have them, against retraining with every coalition of the contributors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from lib.arena import Arena
from lib.ground_truth import by_contributor
from tribute.attribution.card.metrics import rank_correlation
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import path_credits
from tribute.attribution.credit.stand_in_artifact import probe_of
from tribute.services.explaining.training import LEAST

ANSWERS, SEEDS = 50, 2
BETA = 0.05
SURE = float(np.log(2))
"""Answers are rows whose label has a probability above 1/2: these the model gives itself."""
PLAYERS = 5
"""Contributors of the world: the arena's first ones and the planted one, so that a seed takes 32 trainings."""


@dataclass(frozen=True)
class SmallWorld:
    """An arena of few contributors: the others' rows are in no training."""

    arena: Arena
    players: list[int]
    chosen: np.ndarray
    """The answers that are looked at, by their place in the evaluation."""

    @classmethod
    def of(cls, arena: Arena) -> "SmallWorld":
        """The first contributors with the planted one, and answers that the model of all of them is sure of."""
        players = [*range(PLAYERS - 1), len(arena.names) - 1]
        sure = np.flatnonzero(arena.losses(np.isin(arena.owner, players), 0) < SURE)
        return cls(arena, players, np.sort(np.random.Generator(np.random.Philox(50)).permutation(sure)[:ANSWERS]))

    def values(self, seed: int) -> np.ndarray:
        """Each player's Shapley value of log p(answer), nats [players, answers], by a training for every coalition."""
        count, gains = len(self.players), []
        for mask in range(2**count):
            inside = [player for place, player in enumerate(self.players) if mask >> place & 1]
            gains.append(-self.arena.losses(np.isin(self.arena.owner, inside), seed)[self.chosen].astype(float))
        values = np.zeros((count, len(self.chosen)))
        for place in range(count):
            for mask in range(2**count):
                if not mask >> place & 1:
                    weight = 1 / (count * comb(count - 1, mask.bit_count()))
                    values[place] += weight * (gains[mask | 1 << place] - gains[mask])
        return values

    def stand_in(self) -> tuple[Probe, np.ndarray]:
        """The stand-in as the product fits it to this training, and whose its rows are, [rows]."""
        arena = self.arena
        kept = np.isin(arena.owner, self.players)
        gains = [arena.utility(kept, seed) - arena.utility(np.zeros_like(kept), seed) for seed in range(SEEDS)]
        whole = probe_of(arena.base(), arena.train_rows, arena.evaluation)
        probe = replace(whole, train=whole.train[kept], targets=whole.targets[kept]).fitted(float(np.mean(gains)))
        return probe, np.searchsorted(self.players, arena.owner[kept])


def shares_lines(arena: Arena) -> Iterator[str]:
    """The section's text of one arena."""
    world = SmallWorld.of(arena)
    truth, other = (world.values(seed) for seed in range(SEEDS))
    gains, (probe, owner) = truth.sum(0), world.stand_in()
    asked = replace(probe, evaluation=probe.evaluation[world.chosen], answers=probe.answers[world.chosen])
    everything = np.ones(len(owner))
    reached = asked.losses(0 * everything) - asked.losses(everything)
    credits = path_credits(asked, len(owner), np.eye(len(world.chosen)))
    named = (gains > 0) & (reached >= LEAST * gains) & (credits.sum(1) > 0)
    own, actual = by_contributor(owner, credits)[named], truth.T[named]
    even = np.full((len(arena.tests), 1), 1 / len(arena.tests))
    evaluated = by_contributor(owner, path_credits(probe, len(owner), even)[0])
    rules = {
        "**as receipts have them**": own / own.sum(1, keepdims=True) * gains[named, None],
        "the evaluation's, for every answer": np.tile(evaluated, (len(own), 1)),
        "rows counted": np.tile(np.bincount(owner).astype(float), (len(own), 1)),
        "ceiling: another seed's brute force": other.T[named],
    }
    yield (
        f"{len(owner)} rows of {PLAYERS} contributors, one of them planted harm; {len(world.chosen)} answers that "
        "the model gives with a probability above 1/2; the Shapley value of an answer's log-probability by a training "
        f"for each of the {2**PLAYERS} coalitions. {int(named.sum())} answers name contributors; of the others the "
        "stand-in reaches less than half of the gain, or there is none, and the evaluation's shares pay. Shares "
        "are parts of an answer's positive credit, or of a twentieth of its median where that is more, as policies "
        "divide (D), and may be negative; a payer's are their mean over the answers, clipped at 0, scaled to 1."
    )
    yield ""
    yield (
        "| shares | correlation over contributors, mean of answers | rank | Σ\\|error\\| of an answer, mean | median | "
        "Σ\\|error\\| of a payer who asked them all |"
    )
    yield "|---" * 6 + "|"
    for name, credit in rules.items():
        shares, true = _parts(credit), _parts(actual)
        errors = np.abs(shares - true).sum(1)
        pearson = np.nanmean([np.corrcoef(*pair)[0, 1] for pair in zip(shares, true, strict=True)])
        ranks = np.nanmean([rank_correlation(*pair) for pair in zip(shares, true, strict=True)])
        whole = np.abs(_netted(shares) - _netted(true)).sum()
        cells = (pearson, ranks, errors.mean(), np.median(errors), whole)
        yield f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def _parts(credit: np.ndarray) -> np.ndarray:
    """S/D of the rule that pays, [answers, players]: D is the positive credit, at least BETA of its median."""
    positive = np.maximum(credit, 0).sum(1)
    return np.asarray(credit / np.maximum(positive, BETA * np.median(positive))[:, None])


def _netted(shares: np.ndarray) -> np.ndarray:
    """Shares of answers of one price, netted over the answers, clipped at 0, and scaled to 1."""
    mean = np.maximum(shares.mean(0), 0)
    return np.asarray(mean / mean.sum())
