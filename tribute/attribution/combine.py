"""The attribution artifact: measurements become shares, effects, scores, tokens and the card."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact, Kind, Store, check_files
from tribute.attribution.card import card, controls, metrics
from tribute.attribution.card.effects_table import effects_table, measured_effects, proxy_figures, seeds_left_out
from tribute.attribution.content import distinct_content
from tribute.attribution.credit import planted_rows
from tribute.attribution.credit.stand_in import CLUSTERS
from tribute.attribution.credit.stand_in_artifact import slices_of
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.attribution.shares import shares as sharing
from tribute.attribution.shares.estimate import RowEstimate
from tribute.attribution.shares.measured import Measurements, in_run_credit
from tribute.attribution.shares.row_credits import row_credits
from tribute.config import AttributionConfig
from tribute.contributions.dataset import read_description, read_rows
from tribute.files import write_json

ATTRIBUTION = Kind("attribution", __name__)


def make_attribution(store: Store, measurements: Measurements, config: AttributionConfig) -> Artifact:
    """Combine everything into scores, shares, effects, tokens and the card."""

    def build(folder: Path) -> None:
        shares = shares_table(measurements, config)
        effects = effects_table(measurements, shares)
        scores_table(measurements).to_parquet(folder / "scores.parquet", index=False)
        shares.to_parquet(folder / "shares.parquet", index=False)
        effects.to_parquet(folder / "effects.parquet", index=False)
        tokens = tokens_table(measurements)
        tokens.to_parquet(folder / "tokens.parquet", index=False)
        card = attribution_card(measurements, shares, effects, config) | basis_figures(measurements, tokens, config)
        write_json(folder / "card.json", card, sort_keys=True)

    return store.make(ATTRIBUTION, measurements.inputs(), config.model_dump(mode="json"), build)


def find_attribution(store: Store, measurements: Measurements, config: AttributionConfig) -> Artifact | None:
    """The attribution of exactly these, if it was made before."""
    return store.find(ATTRIBUTION, measurements.inputs(), config.model_dump(mode="json"))


def shares_table(measurements: Measurements, config: AttributionConfig) -> pd.DataFrame:
    """`shares.parquet` for all contributors of the version."""
    everybody = sorted(read_description(measurements.dataset)["contributors"])
    table = sharing.shares_table(
        measurements.estimate(),
        measurements.rows.names,
        everybody,
        config.confidence,
        measurements.method,
        len(measurements.credits),
        measurements.trainings(),
    )
    return table if _has_basis(measurements) else table.assign(low=np.nan, high=np.nan)


def _has_basis(measurements: Measurements) -> bool:
    """Whether there are rows enough for an interval."""
    sample = int(measurements.credits[0].json("credit.json")["sample"])
    return min(sample, len(measurements.rows.row_ids)) >= sharing.LEAST_ROWS


def basis_figures(measurements: Measurements, tokens: pd.DataFrame, config: AttributionConfig) -> dict[str, Any]:
    """What the intervals rest on, and how many names' credit can be told from a division by distinct content."""
    names, given = measurements.rows.names, _has_basis(measurements)
    content = tokens.set_index("contributor_id")["content"].loc[list(names)].to_numpy()
    apart = sharing.told_from_content(measurements.estimate(), content, config.confidence) if given else 0
    return {"intervals": given, "told_from_content": {"names": apart, "of": len(names)}}


def scores_table(measurements: Measurements) -> pd.DataFrame:
    """`scores.parquet`: every row's credit by query, each witness counting as it does in the table.

    What neither divides by query is spread evenly, so the scores of a row sum to its credit, and those of a contributor
    to its own.
    """
    weights = np.array([witness.weight for witness in measurements.in_run])
    parts = measurements.table.per_in_run * weights / max(weights.sum(), 1e-12)
    scales = [part * witness.scale for part, witness in zip(parts, measurements.in_run, strict=True)]
    scores = sharing.slice_scores(measurements.credits, scales)
    if measurements.table.per_stand_in:
        stood = slices_of(measurements.probes[0].path, measurements.rows.row_ids).stack()
        places = pd.MultiIndex.from_frame(scores[["row_id", "query"]])
        scores["credit"] += measurements.table.per_stand_in * stood.loc[places].to_numpy()
    credit = pd.Series(measurements.by_row.credit, index=list(measurements.rows.row_ids))
    by_row = scores.groupby("row_id")["credit"]
    missing = (credit - by_row.sum()) / by_row.size()
    return scores.assign(credit=scores["credit"] + scores["row_id"].map(missing))


def tokens_table(measurements: Measurements) -> pd.DataFrame:
    """`tokens.parquet`: what the model saw of each contributor, after deduplication, and their distinct content."""
    rows = pd.read_parquet(measurements.credits[0].file("rows.parquet"))
    description = read_description(measurements.dataset)
    table = rows.groupby("contributor_id")["tokens"].agg(rows="size", tokens="sum")
    texts = read_rows(measurements.dataset, "train")
    content = distinct_content(texts[texts["row_id"].isin(rows["row_id"])], description)
    table["content"] = pd.Series(content, dtype="int64").reindex(table.index, fill_value=0)
    everybody = sorted(description["contributors"])
    return table.reindex(everybody, fill_value=0).rename_axis("contributor_id").reset_index()


def attribution_card(
    measurements: Measurements, shares: pd.DataFrame, effects: pd.DataFrame, config: AttributionConfig
) -> dict[str, Any]:
    """How far the shares can be trusted: see `card.json` in docs/reference/artifacts.md."""
    facts = [credit.json("credit.json") for credit in measurements.credits]
    by_seed = measurements.rows.sums(measurements.table.credit)
    known = shares.set_index("contributor_id").loc[list(measurements.rows.names)]
    harmful = [name for name in measurements.rows.names if known["high"][name] < 0]
    measured = dict(zip(seeds_left_out(measurements), measured_effects(measurements)[1], strict=True))
    left_out = [measurements.rows.names.index(name) for name in effects["contributor_id"]]
    predicted = {seed: effect[left_out] for seed, effect in measurements.predicted.items()}
    figures: dict[str, Any] = {
        "validation": config.validation,
        "method": str(shares["method"].iloc[0]),
        "trainings": measurements.trainings(),
        "seeds": [fact["seed"] for fact in facts],
        "confidence": config.confidence,
        "measured": [fact["measured"] for fact in facts],
        "integrated": [fact["integrated"] for fact in facts],
        "weight_decay": [fact.get("weight_decay", 0.0) for fact in facts],
        "mismatch": [witness.mismatch for witness in measurements.in_run],
        "stand_in": stand_in_figures(measurements),
        "total": float(np.mean([fact["measured"] for fact in facts])),
        "seed_agreement": metrics.pairwise(list(by_seed)),
        "seed_split": metrics.seed_split(by_seed),
        "coverage": card.held_out_coverage(measurements, config.confidence),
        "points": len(facts[0]["curve"]),
        "sample": facts[0]["sample"],
        "rotation": rotation_figures(measurements),
        "drift": max(fact["drift"] for fact in facts),
        "curve": facts[0]["curve"],
        "proxy": proxy_figures(measurements, effects) if config.proxy and measurements.retrainings else None,
        "leave_one_out": card.leave_one_out(effects, predicted, measured),
        "controls": control_figures(measurements, config),
        "coalitions": card.coalition_error(
            known["credit"].to_numpy(), measurements.rows, measurements.utilities, measurements.utility_before
        ),
        "lds": None,
        "baselines": {},
    }
    if measurements.influences:
        figures["lds"] = card.linear_datamodelling(
            measurements.replays, measurements.rows, measurements.utilities, harmful
        )
        figures["baselines"] = card.baselines(
            measurements.influence, measurements.rows, effects, measured, measurements.utilities
        )
    return figures


def rotation_figures(measurements: Measurements) -> dict[str, Any] | None:
    """What training took off the loss of old evaluation rows and of fresh ones, nats; None where none are old."""
    before = read_description(measurements.dataset).get("sealed_before")
    if not before:
        return None
    losses = pd.concat(pd.read_parquet(adapter.file("losses.parquet")) for adapter in measurements.adapters)
    means = losses.groupby("row_id")[["before", "loss"]].mean()
    rows = read_rows(measurements.dataset, "evaluation")[["row_id", "slice"]]
    gains = (means["before"] - means["loss"]).loc[rows["row_id"]]
    return card.rotation(rows.assign(gain=gains.to_numpy()), before)


def stand_in_figures(measurements: Measurements) -> dict[str, Any] | None:
    """What the stand-in gained of what was wanted, and what its credits sum to, nats; None where none was trained."""
    stand_in = measurements.stand_in
    if stand_in is None:
        return None
    sums = {"wanted": stand_in.wanted, "gained": stand_in.gained, "sum": float(stand_in.credit.sum())}
    return {"name": measurements.stand_in_name, "weight": stand_in.weight} | sums


def control_figures(measurements: Measurements, config: AttributionConfig) -> dict[str, Any] | None:
    """What attribution said of the planted rows; None where none were planted."""
    if not measurements.controls:
        return None
    first = pd.read_parquet(measurements.controls[0].file("rows.parquet")).query("not held_out")
    rows = TrainedRows.of(first["row_id"].tolist(), first["contributor_id"].tolist())
    size, clusters = np.bincount(rows.owner), rows.groups(CLUSTERS)
    in_run = [in_run_credit(control, rows) for control in measurements.controls]
    gain = float(np.mean([witness.measured for witness in in_run]))
    table = row_credits(in_run, None, clusters, gain)
    credits = RowEstimate(table, clusters, gain).named(rows.owner)
    low, high = sharing.interval(credits, config.confidence)
    planted = pd.DataFrame({"rows": size, "credit": credits.credit, "low": low, "high": high}, index=list(rows.names))
    check_files(measurements.dataset)
    frame = pd.read_parquet(measurements.dataset.file("train.parquet"))
    return {
        "duplicate": controls.excluded_duplicates(frame),
        "split": controls.split_figures(measurements.rows, measurements.credits_as),
        **{
            name: {key: float(value) if key != "rows" else int(value) for key, value in planted.loc[full].items()}
            for name, full in ((name, planted_rows.PREFIX + name) for name in planted_rows.SPOILT)
        },
    }
