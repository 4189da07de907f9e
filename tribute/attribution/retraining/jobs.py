"""The retrainings that an attribution asks for: what each keeps, which come next, and when it is enough.

Proposes only; whoever runs the jobs hands the results back. A job says which rows it keeps by the design it belongs
to, so it is small enough to travel, and means the same rows wherever it is run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tribute.artifacts import Artifact
from tribute.attribution.measurement import Run
from tribute.attribution.retraining import designs
from tribute.config import AttributionConfig, ValidationConfig
from tribute.finetuning.preparation.split import split
from tribute.settings import Strict

FACTORS = (31, 15, 7)
"""Groups of rows that a rate design varies. A repetition of the next finer design costs twice as much."""
REMOVED, REMOVALS = 0.2, 100
"""The part of all rows that a random removal takes, and how many of them a full validation makes."""
COALITIONS = 5
"""Random halves of the contributors in a full validation, for each contributor."""
LEFT_OUT = {"off": 0, "quick": 10, "full": 10**6}
SEEDS = {"off": 0, "quick": 2, "full": 3}
"""How many contributors a validation leaves out, and with how many seeds.

Controls are planted with as many, and as many of the run's trainings predict effects."""
IN_FULL: Literal["in-full"] = "in-full"
LARGE = 0.02
"""A contributor with this part of the rows is large enough for its effect to be measured."""


class Job(Strict):
    """One retraining."""

    design: Literal["all", "alone", "leave-out", "in-full", "removal", "coalition", "rates"]
    """`in-full` leaves out of what the run itself trains, also where all others train a proxy."""
    seed: int
    contributor: str = ""
    """Whom `leave-out` and `in-full` leave out, and `alone` trains on."""
    number: int = 0
    """Which removal, coalition or repetition of a rate design."""
    run: int = 0
    """Which run of the repetition."""
    factors: int = 0
    """Factors of the rate design."""

    def __str__(self) -> str:
        what = self.contributor or (f"{self.number}, run {self.run}" if self.design == "rates" else str(self.number))
        return f"{self.design} {what}, seed {self.seed}"


@dataclass(frozen=True)
class TrainedRows:
    """The rows that the run trained on and whose they are, in an order that no name decides."""

    row_ids: Sequence[str]
    names: Sequence[str]
    """Contributors with trained rows, sorted."""
    owner: np.ndarray
    """Position in `names` of each row's contributor, int [rows]."""
    slices: Sequence[str]
    """Which slice of the evaluation each row is like, [rows]."""

    @classmethod
    def of(cls, row_ids: Sequence[str], contributors: Sequence[str], slices: Sequence[str] = ()) -> "TrainedRows":
        """From columns, a row each; without slices there is one."""
        names, owner = np.unique(np.array(contributors, dtype=str), return_inverse=True)
        return cls(list(row_ids), names.tolist(), owner, list(slices) or [""] * len(row_ids))

    @classmethod
    def trained(cls, dataset: Artifact, validation: ValidationConfig | None = None) -> "TrainedRows":
        """The rows of a dataset version's train.parquet that are not held out, by their content."""
        columns = ["row_id", "contributor_id", "slice"]
        frame, _ = split(dataset, validation, columns)
        return cls.of(*(list(frame[name]) for name in columns))

    def sums(self, scores: np.ndarray) -> np.ndarray:
        """Sum row scores [..., rows] to [..., contributors]."""
        return np.asarray(scores @ (self.owner[:, None] == np.arange(len(self.names))))

    def groups(self, count: int, deal: int = 0) -> np.ndarray:
        """The group of each row, int [rows]: `count` groups of one size that no name decides.

        An even `deal` puts rows of one slice together, an odd one mixes all of them; rows within a slice come in the
        order of their content's hash, from another place in every deal.
        """
        count = min(count, len(self.row_ids))
        order = np.arange(len(self.row_ids))
        if deal:
            order = np.random.Generator(np.random.Philox([deal, 1])).permutation(order)
        if deal % 2 == 0:
            order = order[np.argsort(np.array(self.slices, dtype=str)[order], kind="stable")]
        group = np.empty(len(order), dtype=int)
        group[order] = np.arange(len(order)) * count // len(order)
        return group


def checked_seeds(run: Run) -> list[int]:
    """The seeds that are trained with planted controls, and whose trainings predict effects, for the card."""
    return run.seeds[: SEEDS[run.config.attribution.validation]]


def row_mask(job: Job, rows: TrainedRows) -> np.ndarray:
    """Which rows a job trains on, bool [rows]."""
    if job.design == "all":
        return np.ones(len(rows.owner), dtype=bool)
    if job.contributor:
        own = np.asarray(rows.owner == rows.names.index(job.contributor))
        return own if job.design == "alone" else ~own
    if job.design == "removal":
        return designs.removals(len(rows.owner), REMOVED, REMOVALS, job.seed)[job.number].kept
    if job.design == "coalition":
        chance = np.random.Generator(np.random.Philox([job.number, 4]))
        return np.asarray((chance.random(len(rows.names)) < 0.5)[rows.owner])
    return repetition(job, rows)[job.run].run.kept


def repetition(job: Job, rows: TrainedRows) -> list[designs.RateRun]:
    """All runs of the rate design that a job belongs to."""
    return designs.rate_design(groups(job, rows), job.number, [job.seed])


def groups(job: Job, rows: TrainedRows) -> np.ndarray:
    """The group of each row in the repetition that a job belongs to, int [rows]."""
    return rows.groups(job.factors, job.number)


def validation_jobs(
    config: AttributionConfig, rows: TrainedRows, seeds: Sequence[int], ranking: Sequence[str]
) -> list[Job]:
    """What the card needs. `ranking`: contributors from the lowest credit to the highest."""
    used = seeds[: SEEDS[config.validation]]
    # The run's own trainings have all rows already; the proxy's have to be made.
    jobs = [Job(design="all", seed=seed) for seed in used if config.proxy]
    left_out = spread(_large(rows, ranking), LEFT_OUT[config.validation])
    jobs += [Job(design="leave-out", seed=seed, contributor=name) for name in left_out for seed in used]
    if config.proxy:
        jobs += [Job(design=IN_FULL, seed=seed, contributor=name) for name in left_out for seed in used[:1]]
    if config.validation == "full":
        jobs += [Job(design="alone", seed=seed, contributor=name) for name in left_out for seed in used]
        jobs += [Job(design="removal", seed=seed, number=number) for number in range(REMOVALS) for seed in used[:2]]
        count = COALITIONS * len(rows.names)
        jobs += [Job(design="coalition", seed=used[number % len(used)], number=number) for number in range(count)]
    return jobs


def designed(
    utilities: Mapping[Job, Any], rows: TrainedRows, control_variate: Callable[[Job], np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Groups [rows] and effects [..., groups] of every complete repetition, less what the draw explains.

    `utilities` are U by job, in nats, of any shape: per fold of the evaluation, say. `control_variate` says, given the
    first job of a repetition, what each group owes to the rows that were drawn, in nats.
    """
    complete = []
    for number in sorted({job.number for job in utilities if job.design == "rates"}):
        jobs = sorted(
            (job for job in utilities if job.design == "rates" and job.number == number), key=lambda job: job.run
        )
        runs = repetition(jobs[0], rows)
        if len(jobs) == len(runs):
            effects = designs.rate_effects(runs, np.stack([utilities[job] for job in jobs]))
            complete.append((groups(jobs[0], rows), effects - control_variate(jobs[0])))
    return complete


def spread(ranking: Sequence[str], count: int) -> list[str]:
    """`count` of the contributors, evenly over their ranking, first and last included."""
    if not count:
        return []
    places = np.unique(np.linspace(0, len(ranking) - 1, min(count, len(ranking))).round().astype(int))
    return [ranking[place] for place in places]


def _large(rows: TrainedRows, ranking: Sequence[str]) -> list[str]:
    size = dict(zip(rows.names, np.bincount(rows.owner) / len(rows.owner), strict=True))
    return [name for name in ranking if size.get(name, 0) >= LARGE]


def repetition_cost(rows: TrainedRows, factors: int) -> float:
    """What a repetition of the rate design costs, in trainings on all rows."""
    job = Job(design="rates", seed=0, factors=factors)
    return designs.cost([run.run for run in repetition(job, rows)])
