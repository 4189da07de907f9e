"""Everything that was measured of one run, read once: credits, probe, retrainings, influences and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact, check_files
from tribute.attribution.credit.probe_artifact import drawn
from tribute.attribution.gradients import sample
from tribute.attribution.measurement import Work, input_names, seed_of
from tribute.attribution.retraining import jobs
from tribute.attribution.retraining.designs import control_variate, rate_design
from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.attribution.shares import shares as sharing
from tribute.attribution.shares.estimate import Design, Estimate, combine, row_noise

LEARNED = 0.5
"""A probe that gains less than this part of what the fine-tune gained is no witness."""


@dataclass(frozen=True)
class Measurements:
    """All that was measured of one run."""

    dataset: Artifact
    adapters: Sequence[Artifact]
    measured: Mapping[Work, Artifact]

    def __post_init__(self) -> None:
        """Raises IntegrityError where a file is not as it was written: what is read here decides what is paid."""
        # Whether the rows' texts are still there matters only where the attribution is not made yet.
        check_files(self.dataset, without_erased=True)
        for work, artifact in self.measured.items():
            check_files(artifact, _of_a_training if work.kind == "retraining" else lambda _: True)
        for adapter in self.adapters:
            check_files(adapter, _of_a_training)

    def inputs(self) -> dict[str, str]:
        """The ids of everything, for the attribution's key."""
        adapters = {f"adapter-{place}": adapter.id for place, adapter in enumerate(self.adapters)}
        return {"dataset": self.dataset.id} | adapters | input_names(self.measured)

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
        """The probe, or none where the task has none."""
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
        return TrainedRows.trained(self.dataset)

    @cached_property
    def scores(self) -> list[pd.DataFrame]:
        """Every seed's scores, rescaled to its measured improvement."""
        return [sharing.seed_scores(credit) for credit in self.credits]

    @cached_property
    def in_run(self) -> np.ndarray:
        """In-run credit in nats, [seeds, rows]."""
        return np.stack([row_totals(scores, self.rows) for scores in self.scores])

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
        retrained = any(job.design == "rates" for job in self.retrainings)
        return " + ".join(["in-run", *(["probe"] if self._probed else []), *(["rate design"] if retrained else [])])

    @property
    def utility_before(self) -> float:
        """U before any training."""
        return -float(self.adapters[0].json("evaluation.json")["before"]["loss"])

    @cached_property
    def gain(self) -> float:
        """U(all) − U(none), mean over the run's own trainings, in nats."""
        return float(np.mean([credit.json("credit.json")["measured"] for credit in self.credits]))

    def estimate(self) -> Estimate:
        """The credits of the contributors with trained rows."""
        return self.credits_as(self.rows).seen_through(self._fold_readings())

    def credits_as(self, named: TrainedRows) -> Estimate:
        """The credits that the same rows and draws give if they stand under other names.

        Each name of `named` holds rows of one contributor, and is in that contributor's blocks.
        """
        contributors = self.rows.owner[np.unique(named.owner, return_index=True)[1]]
        designs = [Design(blocks[contributors], effects) for blocks, effects in self._designed]
        probes = [Design(probe.blocks[contributors], probe.effects) for probe in self._probed]
        noise = row_noise(self.in_run, named.owner)
        return combine(named.sums(self.in_run), noise, np.bincount(named.owner), self.gain, designs, probes)

    @cached_property
    def _designed(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return self._designs(self.utilities)

    def _designs(self, utilities: Mapping[Job, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Blocks and effects of the repetitions, scaled as if their trainings had gained what the run's own did."""
        scaled = {job: utility * self._scales[job.seed] for job, utility in utilities.items() if job.design == "rates"}
        return jobs.designed(scaled, self.rows, self._control_variate)

    def _control_variate(self, number: int, blocks: np.ndarray) -> np.ndarray:
        """What a repetition's effects owe to the rows that it drew, nats [blocks].

        What the probe says of these draws, less what it says on average; by in-run credit where there is no probe.
        """
        owner = self.rows.owner
        if not self._probed:
            runs = rate_design(owner, blocks, number, [0])
            return np.bincount(blocks[owner], weights=control_variate(runs, self.in_run.mean(0)))
        [probed], [facts] = self._probed, self._probe_facts
        probe_block = probed.blocks[owner]
        average = np.bincount(blocks[owner], weights=(probed.effects / np.bincount(probe_block))[probe_block])
        effects = drawn(self.probes[0].path, facts["length"], tuple(owner.tolist()), tuple(blocks.tolist()), number)
        return np.asarray(effects * facts["scale"] - average)

    @cached_property
    def _probe_facts(self) -> list[dict[str, Any]]:
        """`probe.json`, and by which `scale` its credits sum to what the run gained.

        Nothing where there is no probe, or it learned too little.
        """
        every = [probe.json("probe.json") for probe in self.probes]
        counted = [facts for facts in every if min(facts["gained"], sum(facts["credit"])) >= LEARNED * facts["wanted"]]
        return [facts | {"scale": self.gain / sum(facts["credit"])} for facts in counted]

    @property
    def _probed(self) -> list[Design]:
        return [
            Design(np.array(facts["blocks"]), np.array(facts["credit"]) * facts["scale"]) for facts in self._probe_facts
        ]

    @cached_property
    def _scales(self) -> dict[int, float]:
        seeds = {job.seed for job in self.retrainings if job.design == "rates"}
        return {seed: self.gain / (self.utility_all(seed) - self.utility_before) for seed in seeds}

    def _fold_readings(self) -> np.ndarray:
        """In-run mean, probe, effects and gain as each fold of the evaluation measures them, [folds, readings].

        Every fold has the same control variate taken off, so effects scatter between folds as if there were none.
        """
        in_run = np.mean([sharing.fold_credits(credit, self.rows.names) for credit in self.credits], axis=0)
        rates = {job: training for job, training in self.retrainings.items() if job.design == "rates"}
        effects = [blocks for _, blocks in self._designs({job: -fold_losses(rates[job], "loss") for job in rates})]
        probed = [np.array(facts["folds"]) * facts["scale"] for facts in self._probe_facts]
        gains = [fold_losses(adapter, "before") - fold_losses(adapter, "loss") for adapter in self.adapters]
        return np.hstack([in_run, *probed, *effects, np.mean(gains, axis=0)[:, None]])

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


def row_totals(scores: pd.DataFrame, rows: TrainedRows) -> np.ndarray:
    """Credit of each row over all queries, [rows]."""
    return np.asarray(scores.groupby("row_id", sort=False)["credit"].sum().reindex(rows.row_ids))


def fold_losses(training: Artifact, column: str) -> np.ndarray:
    """Mean loss over each fold of the evaluation, nats, [folds]."""
    table = pd.read_parquet(training.file("losses.parquet"))
    weights = sample.fold_weights(table["row_id"].tolist(), np.full(len(table), 1 / len(table)))
    return np.asarray(table[column].to_numpy() @ weights)


def _of_a_training(name: str) -> bool:
    """What is read of an adapter or a retraining."""
    return name in ("evaluation.json", "losses.parquet")
