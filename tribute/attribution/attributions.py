"""The attribution artifact: credits of all seeds, retrainings and controls become shares, effects and the card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact, Store
from tribute.attribution import card, controls, designs, estimate, jobs, measures, sample
from tribute.attribution import shares as sharing
from tribute.attribution.jobs import IN_FULL, Job, Population
from tribute.config import AttributionConfig
from tribute.contributions import read_description
from tribute.finetuning.adapters import write_json


@dataclass(frozen=True)
class Evidence:
    """All that was measured of one run."""

    dataset: Artifact
    adapters: Sequence[Artifact]
    credits: Sequence[Artifact]
    controls: Sequence[Artifact]
    influences: Sequence[Artifact]
    retrainings: Mapping[Job, Artifact]

    def inputs(self) -> dict[str, str]:
        """The ids of everything, for the artifact's key."""
        named = {"adapter": self.adapters, "credit": self.credits, "control": self.controls}
        named["influence"] = self.influences
        found = {"dataset": self.dataset.id}
        found |= {f"{kind}-{place}": one.id for kind, some in named.items() for place, one in enumerate(some)}
        return found | {f"retrained-{job}": one.id for job, one in self.retrainings.items()}

    @cached_property
    def rows(self) -> Population:
        """The trained rows."""
        return Population.trained(self.dataset)

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
        return {job: -float(one.json("evaluation.json")["loss"]) for job, one in self.retrainings.items()}

    def whole(self, seed: int) -> float:
        """U of a training on all rows, of the same kind as the retrainings."""
        own = {int(one.identity["config"]["seed"]): one for one in self.adapters}
        return self.utilities.get(Job(design="all", seed=seed), -float(own[seed].json("evaluation.json")["loss"]))

    @property
    def nothing(self) -> float:
        """U before any training."""
        return -float(self.adapters[0].json("evaluation.json")["before"]["loss"])

    def estimate(self) -> estimate.Estimate:
        """The credits of the contributors with trained rows."""
        total = float(np.mean([one.json("credit.json")["measured"] for one in self.credits]))
        found = jobs.designed(self.utilities, self.rows)
        noise = estimate.row_noise(self.in_run, self.rows.owner)
        size = np.bincount(self.rows.owner)
        scales = [total / (self.whole(seed) - self.nothing) for _, _, seed in found]
        designs = [estimate.Design(one[0], one[1] * scale) for one, scale in zip(found, scales, strict=True)]
        combined = estimate.combine(self.rows.sums(self.in_run), noise, size, total, designs)
        return combined.seen_through(self._fold_readings(scales))

    def _fold_readings(self, scales: Sequence[float]) -> np.ndarray:
        """In-run mean, effects and total as each fold of the evaluation measures them, [folds, readings]."""
        in_run = np.mean([sharing.fold_credits(one, self.rows.names) for one in self.credits], axis=0)
        by_fold = {job: -fold_losses(one, "loss") for job, one in self.retrainings.items() if job.design == "rates"}
        effects = [one[1] * scale for one, scale in zip(jobs.designed(by_fold, self.rows), scales, strict=True)]
        fallen = [fold_losses(one, "before") - fold_losses(one, "loss") for one in self.adapters]
        return np.hstack([in_run, *effects, np.mean(fallen, axis=0)[:, None]])

    def trainings(self) -> float:
        """What all of it cost, in trainings on all rows."""
        kept = [float(jobs.kept(job, self.rows).mean()) for job in self.retrainings]
        return len(self.adapters) + len(self.controls) + float(sum(kept))


def next_jobs(evidence: Evidence, config: AttributionConfig, seeds: Sequence[int]) -> list[Job]:
    """The retrainings to make next, given what is known; none when it is enough."""
    shares = shares_table(evidence, config).set_index("contributor_id").loc[list(evidence.rows.names)]
    ranking = list(shares.sort_values("credit", kind="stable").index)
    wanted = jobs.validation_jobs(config, evidence.rows, seeds, ranking)
    missing = [job for job in wanted if job not in evidence.retrainings]
    if missing and not evidence.retrainings:
        return missing
    error = float(shares["se"].sum() / shares["credit"].clip(lower=0).sum())
    return jobs.next_repetition(config, evidence.rows, seeds, list(evidence.retrainings), error)


def make_attribution(store: Store, evidence: Evidence, config: AttributionConfig) -> Artifact:
    """Combine everything into scores, shares, effects, tokens and the card."""

    def build(folder: Path) -> None:
        shares = shares_table(evidence, config)
        effects = effects_table(evidence, shares)
        scores_table(evidence, shares).to_parquet(folder / "scores.parquet", index=False)
        shares.to_parquet(folder / "shares.parquet", index=False)
        effects.to_parquet(folder / "effects.parquet", index=False)
        tokens_table(evidence).to_parquet(folder / "tokens.parquet", index=False)
        write_json(folder / "card.json", attribution_card(evidence, shares, effects, config))

    return store.make("attribution", evidence.inputs(), config.model_dump(mode="json"), build)


def find_attribution(store: Store, evidence: Evidence, config: AttributionConfig) -> Artifact | None:
    """The attribution of exactly these, if it was made before."""
    return store.find("attribution", evidence.inputs(), config.model_dump(mode="json"))


def row_totals(scores: pd.DataFrame, rows: Population) -> np.ndarray:
    """Credit of each row over all queries, [rows]."""
    return np.asarray(scores.groupby("row_id", sort=False)["credit"].sum().reindex(rows.row_ids))


def fold_losses(training: Artifact, column: str) -> np.ndarray:
    """Mean loss over each fold of the evaluation, nats, [folds]."""
    table = pd.read_parquet(training.file("losses.parquet"))
    weights = sample.fold_weights(table["row_id"].tolist(), np.full(len(table), 1 / len(table)))
    return np.asarray(table[column].to_numpy() @ weights)


def shares_table(evidence: Evidence, config: AttributionConfig) -> pd.DataFrame:
    """`shares.parquet` for all contributors of the version."""
    found = evidence.estimate()
    method = "in-run + rate design" if any(job.design == "rates" for job in evidence.retrainings) else "in-run"
    everybody = sorted(read_description(evidence.dataset)["contributors"])
    return sharing.shares_table(
        found, evidence.rows.names, everybody, config.confidence, method, len(evidence.credits), evidence.trainings()
    )


def scores_table(evidence: Evidence, shares: pd.DataFrame) -> pd.DataFrame:
    """`scores.parquet`: mean over seeds; what a rate design corrected is spread evenly over a contributor's rows.

    So the scores of a contributor sum to its credit.
    """
    scores = sharing.average_scores(evidence.scores)
    by_name = scores.groupby("contributor_id")["credit"]
    missing = (shares.set_index("contributor_id")["credit"] - by_name.sum()) / by_name.size()
    return scores.assign(credit=scores["credit"] + scores["contributor_id"].map(missing))


def effects_table(evidence: Evidence, shares: pd.DataFrame) -> pd.DataFrame:
    """`effects.parquet`: evaluation loss without the contributor minus with it, nats; > 0 helped.

    The same batches less the contributor's rows, mean over seeds; `effect_se` is NaN with one seed. `predicted` is
    what replay said beforehand (NaN where it was not run). `alone` is what training on nobody else gains, and `shapley`
    the value with contributors as players by the 2n design; NaN unless all were trained alone and left out.
    """
    names, measured = measured_effects(evidence)
    alone = effects_alone(evidence, names)
    total = float(np.mean([evidence.whole(seed) for seed in seeds_left_out(evidence)] or [np.nan])) - evidence.nothing
    everybody = set(names) == set(evidence.rows.names)
    predicted = dict(zip(evidence.rows.names, predicted_effects(evidence), strict=True))
    credit = shares.set_index("contributor_id")["credit"]
    size = dict(zip(evidence.rows.names, np.bincount(evidence.rows.owner).tolist(), strict=True))
    seeds = len(measured)
    spread = measured.std(0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.full(len(names), np.nan)
    return pd.DataFrame(
        {
            "contributor_id": names,
            "rows": [size[name] for name in names],
            "effect": measured.mean(0) if names else [],
            "effect_se": spread,
            "predicted": [predicted[name] for name in names],
            "alone": alone,
            "shapley": designs.shapley_of_2n(alone, measured.mean(0), total) if everybody else np.nan,
            "credit": [float(credit[name]) for name in names],
            "seeds": seeds,
        }
    )


def measured_effects(evidence: Evidence) -> tuple[list[str], np.ndarray]:
    """Who was left out with every seed, and the effects [seeds, contributors]."""
    left = [job for job in evidence.utilities if job.design == "leave-out"]
    names, seeds = list(dict.fromkeys(job.contributor for job in left)), seeds_left_out(evidence)
    table = [
        [
            evidence.whole(seed) - evidence.utilities[Job(design="leave-out", seed=seed, contributor=name)]
            for name in names
        ]
        for seed in seeds
    ]
    return names, np.array(table).reshape(len(seeds), len(names))


def seeds_left_out(evidence: Evidence) -> list[int]:
    """The seeds with which contributors were left out."""
    return sorted({job.seed for job in evidence.utilities if job.design == "leave-out"})


def effects_alone(evidence: Evidence, names: Sequence[str]) -> np.ndarray:
    """What training on one contributor's rows alone gains, mean over seeds, nats; NaN where it was not tried."""
    found = [
        [evidence.utilities.get(Job(design="alone", seed=seed, contributor=name), np.nan) for name in names]
        for seed in seeds_left_out(evidence)
    ]
    return np.asarray(np.mean(found, axis=0) - evidence.nothing if found else np.full(len(names), np.nan))


def proxy_figures(evidence: Evidence, effects: pd.DataFrame) -> dict[str, Any]:
    """The proxy's layers, and how well it ranks who was left out, against leaving them out of the whole training."""
    stood_in = next(one for job, one in evidence.retrainings.items() if job.design != IN_FULL)
    names, seed = list(effects["contributor_id"]), min(seeds_left_out(evidence), default=0)
    # What all rows reach is common to all of them, so it does not enter a rank.
    reached = [evidence.utilities[Job(design=IN_FULL, seed=seed, contributor=name)] for name in names]
    return {
        "layers": list(stood_in.identity["config"]["lora"]["layers"]),
        "spearman": measures.rank_correlation(effects["effect"].to_numpy(), -np.array(reached)),
    }


def predicted_effects(evidence: Evidence) -> np.ndarray:
    """Replay's effect of each contributor, mean over seeds, [contributors]; NaN where it was not run."""
    if not evidence.influences:
        return np.full(len(evidence.rows.names), np.nan)
    return np.asarray(evidence.rows.sums(influence_table(evidence)["replay"].to_numpy()))


def influence_table(evidence: Evidence) -> pd.DataFrame:
    """The influences of the training rows, mean over seeds, in the dataset's order."""
    tables = [pd.read_parquet(one.file("influence.parquet")).set_index("row_id") for one in evidence.influences]
    mean = sum(table.select_dtypes("number") for table in tables) / len(tables)
    return pd.DataFrame(mean).reindex(evidence.rows.row_ids)


def tokens_table(evidence: Evidence) -> pd.DataFrame:
    """`tokens.parquet`: what the model saw of each contributor, after deduplication."""
    rows = pd.read_parquet(evidence.credits[0].file("rows.parquet"))
    table = rows.groupby("contributor_id")["tokens"].agg(rows="size", tokens="sum")
    everybody = sorted(read_description(evidence.dataset)["contributors"])
    return table.reindex(everybody, fill_value=0).rename_axis("contributor_id").reset_index()


def attribution_card(
    evidence: Evidence, shares: pd.DataFrame, effects: pd.DataFrame, config: AttributionConfig
) -> dict[str, Any]:
    """How far the shares can be trusted: see `card.json` in docs/architecture.md."""
    facts = [credit.json("credit.json") for credit in evidence.credits]
    by_seed = evidence.rows.sums(evidence.in_run)
    known = shares.set_index("contributor_id").loc[list(evidence.rows.names)]
    harmful = [name for name in evidence.rows.names if known["high"][name] < 0]
    alone = estimate.combine(
        by_seed, estimate.row_noise(evidence.in_run, evidence.rows.owner), np.bincount(evidence.rows.owner), 0.0, []
    )
    coverage = measures.held_out_coverage(by_seed, alone.errors() ** 2 * len(by_seed), config.confidence)
    found: dict[str, Any] = {
        "validation": config.validation,
        "method": str(shares["method"].iloc[0]),
        "trainings": evidence.trainings(),
        "seeds": [fact["seed"] for fact in facts],
        "confidence": config.confidence,
        "measured": [fact["measured"] for fact in facts],
        "integrated": [fact["integrated"] for fact in facts],
        "mismatch": [fact["integrated"] / fact["measured"] - 1 for fact in facts],
        "total": float(np.mean([fact["measured"] for fact in facts])),
        "seed_agreement": measures.pairwise(list(by_seed)),
        "seed_split": measures.seed_split(by_seed),
        "coverage": None if coverage is None else {"trials": coverage[0], "covered": coverage[1]},
        "points": len(facts[0]["curve"]),
        "sample": facts[0]["sample"],
        "drift": max(fact["drift"] for fact in facts),
        "curve": facts[0]["curve"],
        "proxy": proxy_figures(evidence, effects) if config.proxy and evidence.retrainings else None,
        "leave_one_out": card.leave_one_out(effects, list(measured_effects(evidence)[1])),
        "controls": control_figures(evidence, config),
        "coalitions": card.coalition_error(
            known["credit"].to_numpy(), evidence.rows, evidence.utilities, evidence.nothing
        ),
        "lds": None,
        "baselines": {},
    }
    if evidence.influences:
        influence = influence_table(evidence)
        found["lds"] = card.linear_datamodelling(
            influence["replay"].to_numpy(), evidence.rows, evidence.utilities, harmful
        )
        found["baselines"] = card.baselines(influence, evidence.rows, effects, evidence.utilities)
    return found


def control_figures(evidence: Evidence, config: AttributionConfig) -> dict[str, Any] | None:
    """What attribution said of the planted rows; None where none were planted."""
    if not evidence.controls:
        return None
    scores = [sharing.seed_scores(control) for control in evidence.controls]
    first = pd.read_parquet(evidence.controls[0].file("rows.parquet"))
    rows = Population.of(first["row_id"].tolist(), first["contributor_id"].tolist())
    by_row = np.stack([row_totals(one, rows) for one in scores])
    sums, size = rows.sums(by_row), np.bincount(rows.owner)
    total = float(np.mean([one.json("credit.json")["measured"] for one in evidence.controls]))
    found = estimate.combine(sums, estimate.row_noise(by_row, rows.owner), size, total, [])
    in_run = np.mean([sharing.fold_credits(one, rows.names) for one in evidence.controls], axis=0)
    found = found.seen_through(np.hstack([in_run, np.zeros((len(in_run), 1))]))
    low, high = sharing.interval(found, config.confidence)
    table = pd.DataFrame({"rows": size, "credit": found.credit, "low": low, "high": high}, index=list(rows.names))
    frame = pd.read_parquet(evidence.dataset.file("train.parquet"))
    return {
        "duplicate": controls.excluded_duplicates(frame),
        "split": {"names": controls.SPLIT, "change": controls.split_change(sharing.average_scores(evidence.scores))},
        **{
            name: {key: float(value) if key != "rows" else int(value) for key, value in table.loc[full].items()}
            for name, full in ((name, controls.PREFIX + name) for name in controls.SPOILT)
        },
    }
