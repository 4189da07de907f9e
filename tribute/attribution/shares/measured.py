"""Everything that was measured of one run, read once: credits, stand-in, retrainings, influences and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.credit.stand_in import CLUSTERS
from tribute.attribution.credit.stand_in_artifact import credits_of, predicted_utility
from tribute.attribution.gradients import sample
from tribute.attribution.measurement import Work, check_read, input_names, seed_of, trained_inputs
from tribute.attribution.retraining import jobs
from tribute.attribution.retraining.designs import control_variate, rate_effects
from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.attribution.shares.estimate import Design, Estimate, RowEstimate
from tribute.attribution.shares.row_credits import InRunCredit, RowCredits, StandInCredit, row_credits
from tribute.config import ValidationConfig
from tribute.contributions.dataset import read_description


@dataclass(frozen=True)
class Measurements:
    """All that was measured of one run."""

    dataset: Artifact
    adapters: Sequence[Artifact]
    measured: Mapping[Work, Artifact]
    clustered: Artifact | None = None
    """The stand-in whose clusters count, where it is not the measured one: a row at a boundary may fall to another
    cluster on another machine, and so may what is paid."""

    def __post_init__(self) -> None:
        """Raises IntegrityError where a file is not as it was written."""
        check_read(self.dataset, self.adapters, self.measured.values())

    def inputs(self) -> dict[str, str]:
        """The ids of everything, for the attribution's key."""
        return trained_inputs(self.dataset, self.adapters) | input_names(self.measured)

    def of(self, kind: str) -> dict[Any, Artifact]:
        """Item → artifact, of everything of a kind that was measured."""
        return {work.item: artifact for work, artifact in self.measured.items() if work.kind == kind}

    @cached_property
    def credits(self) -> list[Artifact]:
        """In-run credit, per seed."""
        return list(self.of("credit").values())

    @cached_property
    def controls(self) -> list[Artifact]:
        """Trainings with planted controls, per seed."""
        return list(self.of("control").values())

    @cached_property
    def influences(self) -> list[Artifact]:
        """Predicted effects, per seed."""
        return list(self.of("influence").values())

    @cached_property
    def probes(self) -> list[Artifact]:
        """The stand-in, or none where none was trained."""
        return list(self.of("probe").values())

    @cached_property
    def retrainings(self) -> dict[Job, Artifact]:
        """The retrainings by their jobs."""
        return self.of("retraining")

    @cached_property
    def seeds(self) -> list[int]:
        """The adapters' seeds, in their order."""
        return [seed_of(adapter) for adapter in self.adapters]

    @cached_property
    def rows(self) -> TrainedRows:
        """The trained rows."""
        settings = self.adapters[0].identity["config"].get("validation")
        return TrainedRows.trained(self.dataset, settings and ValidationConfig.model_validate(settings))

    @cached_property
    def clusters(self) -> np.ndarray:
        """Groups of rows that no name decides, int [rows]: of like content, where a stand-in says which are."""
        return self.stand_in.clusters if self.stand_in else self.rows.groups(CLUSTERS)

    @cached_property
    def in_run(self) -> list[InRunCredit]:
        """In-run credit, per seed."""
        return [in_run_credit(credit, self.rows) for credit in self.credits]

    @cached_property
    def stand_in(self) -> StandInCredit | None:
        """What the stand-in says; None where none was trained."""
        for artifact in self.probes:
            facts = artifact.json("probe.json")
            draws, folds, clusters = credits_of(artifact.path, self.rows.row_ids)
            if self.clustered:
                *_, clusters = credits_of(self.clustered.path, self.rows.row_ids)
            return StandInCredit(draws, folds, clusters, facts["wanted"], facts["gained"])
        return None

    @cached_property
    def table(self) -> RowCredits:
        """Every row's credit for every seed. Raises AttributionError where no witness can be believed."""
        return row_credits(self.in_run, self.stand_in, self.clusters, self.gain)

    @cached_property
    def utilities(self) -> dict[Job, float]:
        """U of every retraining, in nats."""
        return {job: -float(retraining.json("evaluation.json")["loss"]) for job, retraining in self.retrainings.items()}

    def utility_all(self, seed: int) -> float:
        """U of a training on all rows, of the same kind as the retrainings."""
        adapter = self.adapters[self.seeds.index(seed)]
        return self.utilities.get(Job(design="all", seed=seed), -float(adapter.json("evaluation.json")["loss"]))

    @property
    def method(self) -> str:
        """What the credits are made from, in words."""
        parts = ["in-run"] if any(witness.weight for witness in self.in_run) else []
        parts += [self.stand_in_name] if self._stands_in else []
        parts += ["rate design"] if any(job.design == "rates" for job in self.retrainings) else []
        return " + ".join(parts)

    @property
    def stand_in_name(self) -> str:
        """`probe` of a classifier, `memory` of a causal model."""
        return "probe" if read_description(self.dataset)["task"] == "sequence-classification" else "memory"

    @property
    def utility_before(self) -> float:
        """U before any training."""
        return -float(self.adapters[0].json("evaluation.json")["before"]["loss"])

    @cached_property
    def gain(self) -> float:
        """U(all) − U(none), mean over the run's own trainings, in nats."""
        return float(np.mean([credit.json("credit.json")["measured"] for credit in self.credits]))

    @cached_property
    def by_row(self) -> RowEstimate:
        """What names' credits are sums of."""
        return RowEstimate(self.table, self.clusters, self.gain, self._designs)

    def estimate(self) -> Estimate:
        """The credits of the contributors with trained rows."""
        return self.credits_as(self.rows)

    def credits_as(self, named: TrainedRows) -> Estimate:
        """The credits of the same rows under other names."""
        return self.by_row.named(named.owner)

    @cached_property
    def _designs(self) -> list[Design]:
        """The repetitions, scaled as if their trainings had gained what the run's own did.

        Every fold has the same control variate taken off, so effects scatter between folds as if there were none.
        """
        rates = {job: training for job, training in self.retrainings.items() if job.design == "rates"}
        whole = {job: self.utilities[job] * self._scales[job.seed] for job in rates}
        folds = {job: -fold_losses(rates[job], "loss") * self._scales[job.seed] for job in rates}
        luck = lru_cache(self._luck)
        return [
            Design(groups, effects, apart)
            for (groups, effects), (_, apart) in zip(
                jobs.designed(whole, self.rows, luck), jobs.designed(folds, self.rows, luck), strict=True
            )
        ]

    @property
    def _stands_in(self) -> bool:
        return self.stand_in is not None and self.stand_in.weight > 0

    def _luck(self, first: Job) -> np.ndarray:
        """What a repetition's effects owe to the rows that it drew, nats [groups].

        What the stand-in says of these draws, less its credit; by in-run credit where it learned too little.
        """
        groups, runs = jobs.groups(first, self.rows), jobs.repetition(first, self.rows)
        if self.stand_in is None or not self._stands_in:
            return np.bincount(groups, weights=control_variate(runs, self.table.credit.mean(0)))
        folder, count = self.probes[0].path, len(groups)
        predicted = [predicted_utility(folder, np.packbits(run.run.kept).tobytes(), count) for run in runs]
        luck = rate_effects(runs, np.array(predicted)) - np.bincount(groups, weights=self.stand_in.credit)
        return np.asarray(luck * self.gain / self.stand_in.gained)

    @cached_property
    def _scales(self) -> dict[int, float]:
        seeds = {job.seed for job in self.retrainings if job.design == "rates"}
        return {seed: self.gain / (self.utility_all(seed) - self.utility_before) for seed in seeds}

    @cached_property
    def influence(self) -> pd.DataFrame:
        """The influences of the training rows, mean over seeds, in the dataset's order."""
        return pd.DataFrame(sum(self._influences) / len(self._influences))

    @cached_property
    def replays(self) -> dict[int, np.ndarray]:
        """Replay's effect of each row, nats, [rows], by the seed of the training that was replayed."""
        tables = zip(self.seeds, self._influences, strict=False)
        return {seed: table["replay"].to_numpy() for seed, table in tables if "replay" in table}

    @cached_property
    def predicted(self) -> dict[int, np.ndarray]:
        """What a Newton step says of leaving each contributor out, nats, [contributors], by the training's seed."""
        tables = [pd.read_parquet(influence.file("left_out.parquet")) for influence in self.influences]
        return {
            seed: table.set_index("contributor_id")["effect"].reindex(self.rows.names).to_numpy()
            for seed, table in zip(self.seeds, tables, strict=False)
        }

    @cached_property
    def _influences(self) -> list[pd.DataFrame]:
        files = [influence.file("influence.parquet") for influence in self.influences]
        tables = [pd.read_parquet(file).set_index("row_id") for file in files]
        return [table.select_dtypes("number").reindex(self.rows.row_ids) for table in tables]

    def trainings(self) -> float:
        """The trainings that were made, in trainings on all rows; walks, predictions and replays are not counted."""
        kept = [float(jobs.row_mask(job, self.rows).mean()) for job in self.retrainings]
        return len(self.adapters) + len(self.controls) + float(sum(kept))


def in_run_credit(credit: Artifact, rows: TrainedRows) -> InRunCredit:
    """One seed's credit of `rows`, as it was integrated."""
    facts = credit.json("credit.json")
    scores = pd.read_parquet(credit.file("scores.parquet")).groupby("row_id", sort=False)["credit"].sum()
    folds = pd.read_parquet(credit.file("folds.parquet")).set_index("row_id").reindex(rows.row_ids)
    by_row, by_fold = scores.reindex(rows.row_ids).to_numpy(), folds.to_numpy().T
    return InRunCredit(facts["seed"], by_row, by_fold, facts["measured"], facts.get("weight_decay", 0.0))


def fold_losses(training: Artifact, column: str) -> np.ndarray:
    """Mean loss over each fold of the evaluation, nats, [folds]."""
    table = pd.read_parquet(training.file("losses.parquet"))
    weights = sample.fold_weights(table["row_id"].tolist(), np.full(len(table), 1 / len(table)))
    return np.asarray(table[column].to_numpy() @ weights)
