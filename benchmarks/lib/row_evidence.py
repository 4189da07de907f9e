"""What was measured of a world's rows, and the credits of any names that they are dealt to. See names.py."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.arena import Arena
from lib.causal_worlds import CausalWorld
from lib.synthetic import World
from tribute.attribution.credit.inrun import InRun, in_run_credit
from tribute.attribution.credit.stand_in import CLUSTERS, StandIn, content_clusters, drawn_credits
from tribute.attribution.credit.stand_in_artifact import folds_of
from tribute.attribution.gradients.sample import fold_weights
from tribute.attribution.retraining import designs, jobs
from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.attribution.retraining.stopping import next_repetition
from tribute.attribution.shares.estimate import Design, Estimate, RowEstimate
from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit, row_credits
from tribute.config import AttributionConfig
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.training.training import Training

SEEDS = (0, 1)


@dataclass(frozen=True)
class Evidence:
    """Rows in an order that no name decides."""

    labels: Sequence[str]
    walks: Sequence[InRunCredit]
    stand_in: StandInCredit

    @property
    def gain(self) -> float:
        """Mean over the seeds, nats."""
        return float(np.mean([walk.measured for walk in self.walks]))

    def rows(self, owner: np.ndarray) -> TrainedRows:
        """The rows under names, from the number of each row's name, int [rows]."""
        return TrainedRows.of([str(row) for row in range(len(owner))], [f"{name:03}" for name in owner], self.labels)

    def by_row(self, seen: Sequence[Design] = ()) -> RowEstimate:
        """The table of row × seed with all that follows from it, as shares/measured.py makes it."""
        table = row_credits(self.walks, self.stand_in, self.stand_in.clusters, self.gain)
        return RowEstimate(table, self.stand_in.clusters, self.gain, seen)


def of_arena(arena: Arena, seeds: Sequence[int] = SEEDS) -> Evidence:
    """An arena's, its rows in the arena's order: relabelling is what matters here."""
    return Evidence([row.label for row in arena.rows], [arena.in_run(seed) for seed in seeds], arena.stand_in)


def of_world(world: World | CausalWorld) -> tuple[Evidence, StandIn]:
    """A synthetic world's, and its stand-in."""
    count, nobody = len(world.sample), np.zeros(len(world.owner), dtype=bool)
    even = np.full(count, 1 / count)
    walks = [walked(world, seed) for seed in SEEDS]
    wanted = float(np.mean([walk.measured for walk in walks]))
    probe = world.stand_in().fitted(wanted)
    draws = drawn_credits(probe, len(world.owner), even)
    folds, clusters = folds_of(probe, draws, world.sample), content_clusters(probe, CLUSTERS)
    gained = float(probe.losses(nobody).mean() - probe.losses(~nobody).mean())
    return Evidence(world.train.slices, walks, StandInCredit(draws, folds, clusters, wanted, gained)), probe


def walked(world: World | CausalWorld, seed: int) -> InRunCredit:
    """In-run credit of a seed's training on all rows."""
    everybody = np.ones((1, len(world.owner)), dtype=bool)
    before, after = (world.losses(kept, seed, world.sample).mean() for kept in (~everybody, everybody))
    walk = walk_of(world, *world.trained(seed))
    return InRunCredit(seed, walk.scores.sum(1), walk.folds.T, float(before - after))


def walk_of(world: World | CausalWorld, model: RowModel, training: Training) -> InRun:
    """The walk along a training, on the sample's rows alike."""
    even = np.full(len(world.sample), 1 / len(world.sample))
    return in_run_credit(model, world.train, world.sample, even, training.trace)


def on_these_rows(rows: RowEstimate) -> RowEstimate:
    """The same, but its standard errors leave out what other evaluation rows would change."""
    return RowEstimate(replace(rows.table, folds=0 * rows.table.folds), rows.clusters, float(rows.effects[-1]))


def paid(estimate: Estimate, kappa: float = 1) -> np.ndarray:
    """Weights that a pool is divided by, nats [names]."""
    return np.asarray(np.maximum(estimate.credit - kappa * estimate.standard_errors(), 0))


def rate_designs(
    world: World | CausalWorld, evidence: Evidence, probe: StandIn, budget: float
) -> tuple[list[Design], float]:
    """All repetitions that a budget pays for, less luck, as a run makes them; and the trainings that they cost."""
    rows, config = evidence.rows(world.owner), AttributionConfig(budget=budget, precision=1e-9)
    losses: dict[Job, np.ndarray] = {}
    luck: dict[int, np.ndarray] = {}
    spent = 0.0
    while proposed := next_repetition(config, rows, SEEDS, losses, 1.0):
        runs, groups = jobs.repetition(proposed[0], rows), jobs.groups(proposed[0], rows)
        kept = np.stack([run.run.kept for run in runs])
        losses |= zip(proposed, world.losses(kept, proposed[0].seed, world.sample), strict=True)
        said = designs.rate_effects(runs, np.array([-probe.losses(one).mean() for one in kept]))
        credit = np.bincount(groups, weights=evidence.stand_in.credit)
        luck[proposed[0].number] = (said - credit) * evidence.gain / evidence.stand_in.gained
        spent += designs.cost([run.run for run in runs])
    even = np.full(len(world.sample), 1 / len(world.sample))
    means = np.hstack([even[:, None], fold_weights(world.sample.row_ids, even)])
    scales = {walk.seed: evidence.gain / walk.measured for walk in evidence.walks}
    utilities = {job: -loss @ means * scales[job.seed] for job, loss in losses.items()}
    measured = jobs.designed(utilities, rows, lambda job: luck[job.number])
    return [Design(groups, effects[0], effects[1:]) for groups, effects in measured], spent
