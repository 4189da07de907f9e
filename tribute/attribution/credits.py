"""The artifacts of this column: one seed's credit, and the attribution that combines seeds and retrainings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact, Store
from tribute.attribution import shares as sharing
from tribute.attribution.sample import stratified_sample
from tribute.config import AttributionConfig, FinetuningConfig
from tribute.contributions import read_description
from tribute.errors import AttributionError
from tribute.finetuning.adapters import write_json
from tribute.finetuning.children import Progress, run_child
from tribute.finetuning.preparation import prepare, training_inputs
from tribute.finetuning.trace import load_trace


def find_credit(store: Store, dataset: Artifact, adapter: Artifact, config: AttributionConfig) -> Artifact | None:
    """The credit of this adapter, if it was computed before."""
    return store.find("credit", {"dataset": dataset.id, "adapter": adapter.id}, {"sample": config.sample})


def make_credit(
    store: Store,
    dataset: Artifact,
    adapter: Artifact,
    config: AttributionConfig,
    finetuning: FinetuningConfig,
    scratch: Path,
    progress: Progress,
) -> Artifact:
    """Walk one adapter's trace in a child process: `scores.parquet` and `credit.json`."""

    def build(folder: Path) -> None:
        arguments = (dataset, adapter, finetuning, config.sample, scratch, folder)
        run_child(credit_job, *arguments, timeout_seconds=60.0 * finetuning.timeout_minutes, progress=progress)

    inputs = {"dataset": dataset.id, "adapter": adapter.id}
    return store.make("credit", inputs, {"sample": config.sample}, build)


def credit_job(
    dataset: Artifact,
    adapter: Artifact,
    finetuning: FinetuningConfig,
    sample_size: int,
    scratch: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: see `make_credit`."""
    from tribute.attribution.inrun import in_run_credit

    check_base(dataset, adapter, finetuning)
    trace = load_trace(adapter.path)
    ready = prepare(dataset, finetuning, scratch, trace.seed)
    chosen, weights = stratified_sample(ready.evaluation.slices, sample_size)
    found = in_run_credit(ready.model, ready.train, ready.evaluation.take(chosen), weights, trace, progress)
    pd.DataFrame(
        {
            "row_id": np.repeat(list(ready.train.row_ids), len(found.slices)),
            "contributor_id": np.repeat(ready.contributors, len(found.slices)),
            "query": found.slices * len(ready.train),
            "credit": found.scores.reshape(-1),
        }
    ).to_parquet(folder / "scores.parquet", index=False)
    evaluation = adapter.json("evaluation.json")
    facts = {
        "seed": trace.seed,
        "measured": evaluation["before"]["loss"] - evaluation["loss"],
        "integrated": float(found.scores.sum()),
        "sample_improvement": found.losses[0] - found.losses[-1],
        "sample": len(chosen),
        "curve": [{"step": step, "loss": loss} for step, loss in zip(found.steps, found.losses, strict=True)],
        "drift": found.drift,
    }
    write_json(folder / "credit.json", facts)


def check_base(dataset: Artifact, adapter: Artifact, finetuning: FinetuningConfig) -> None:
    """Raises AttributionError where the adapter learned from another base or dataset version."""
    inputs, _ = training_inputs(dataset, finetuning)
    for name, digest in inputs.items():
        if adapter.inputs[name] != digest:
            raise AttributionError(
                f"adapter {adapter.id[:12]} learned from {name} {adapter.inputs[name][:12]}, the run names "
                f"{digest[:12]}; use the {name} that the adapter was made from, or fine-tune again"
            )


def combined(dataset: Artifact, credits: Sequence[Artifact], config: AttributionConfig) -> pd.DataFrame:
    """The shares table from the seeds' credits alone."""
    return sharing.shares_table(_seed_scores(credits), _contributors(dataset), config.confidence)


def leave_out(dataset: Artifact, credits: Sequence[Artifact], config: AttributionConfig) -> list[str]:
    """Which contributors to retrain without: see `spread_over_ranking`."""
    if config.leave_one_out == 0:
        return []
    trained = set(pd.read_parquet(dataset.file("train.parquet"), columns=["contributor_id"])["contributor_id"])
    return sharing.spread_over_ranking(combined(dataset, credits, config), sorted(trained), config.leave_one_out)


def find_attribution(
    store: Store,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    credits: Sequence[Artifact],
    retrainings: Mapping[str, Artifact],
    config: AttributionConfig,
) -> Artifact | None:
    """The attribution of exactly these, if it was made before."""
    inputs = _attribution_inputs(dataset, adapters, credits, retrainings)
    return store.find("attribution", inputs, config.model_dump(mode="json"))


def make_attribution(
    store: Store,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    credits: Sequence[Artifact],
    retrainings: Mapping[str, Artifact],
    config: AttributionConfig,
) -> Artifact:
    """Combine the seeds into scores, shares, effects and the card.

    `retrainings` maps a contributor to the first seed's training without it.
    """
    inputs = _attribution_inputs(dataset, adapters, credits, retrainings)

    def build(folder: Path) -> None:
        seeds = _seed_scores(credits)
        shares = sharing.shares_table(seeds, _contributors(dataset), config.confidence)
        effects = effects_table(dataset, shares, adapters[0], retrainings)
        sharing.average_scores(seeds).to_parquet(folder / "scores.parquet", index=False)
        shares.to_parquet(folder / "shares.parquet", index=False)
        effects.to_parquet(folder / "effects.parquet", index=False)
        write_json(folder / "card.json", attribution_card(credits, seeds, effects, config))

    return store.make("attribution", inputs, config.model_dump(mode="json"), build)


def effects_table(
    dataset: Artifact, shares: pd.DataFrame, adapter: Artifact, retrainings: Mapping[str, Artifact]
) -> pd.DataFrame:
    """`effects.parquet`: evaluation loss without the contributor minus with it, nats; > 0 helped.

    One seed, the same batches less the contributor's rows, so `effect_se` is not known (NaN).
    """
    rows = pd.read_parquet(dataset.file("train.parquet"), columns=["contributor_id"])["contributor_id"].value_counts()
    credit = shares.set_index("contributor_id")["credit"]
    full = adapter.json("evaluation.json")["loss"]
    records = [
        {
            "contributor_id": name,
            "rows": int(rows[name]),
            "effect": retraining.json("evaluation.json")["loss"] - full,
            "effect_se": float("nan"),
            "credit": float(credit[name]),
            "seeds": 1,
        }
        for name, retraining in retrainings.items()
    ]
    columns = ["contributor_id", "rows", "effect", "effect_se", "credit", "seeds"]
    return pd.DataFrame(records, columns=columns)


def attribution_card(
    credits: Sequence[Artifact],
    seeds: Sequence[pd.DataFrame],
    effects: pd.DataFrame,
    config: AttributionConfig,
) -> dict[str, Any]:
    """How far the shares can be trusted: see `card.json` in docs/architecture.md."""
    facts = [credit.json("credit.json") for credit in credits]
    spearman = sharing.rank_correlation(effects["effect"].to_numpy(), effects["credit"].to_numpy())
    return {
        "seeds": [fact["seed"] for fact in facts],
        "confidence": config.confidence,
        "measured": [fact["measured"] for fact in facts],
        "integrated": [fact["integrated"] for fact in facts],
        "mismatch": [fact["integrated"] / fact["measured"] - 1 for fact in facts],
        "total": float(np.mean([fact["measured"] for fact in facts])),
        "seed_agreement": sharing.seed_agreement(seeds),
        "points": len(facts[0]["curve"]),
        "sample": facts[0]["sample"],
        "drift": max(fact["drift"] for fact in facts),
        "curve": facts[0]["curve"],
        "leave_one_out": {"contributors": list(effects["contributor_id"]), "spearman": spearman, "seeds": 1},
    }


def _attribution_inputs(
    dataset: Artifact,
    adapters: Sequence[Artifact],
    credits: Sequence[Artifact],
    retrainings: Mapping[str, Artifact],
) -> dict[str, str]:
    inputs = {"dataset": dataset.id}
    inputs |= {f"adapter-{index}": adapter.id for index, adapter in enumerate(adapters)}
    inputs |= {f"credit-{index}": credit.id for index, credit in enumerate(credits)}
    inputs |= {f"without-{name}": retraining.id for name, retraining in retrainings.items()}
    return inputs


def _seed_scores(credits: Sequence[Artifact]) -> list[pd.DataFrame]:
    return [
        sharing.rescaled(
            pd.read_parquet(credit.file("scores.parquet")),
            credit.json("credit.json")["integrated"],
            credit.json("credit.json")["measured"],
        )
        for credit in credits
    ]


def _contributors(dataset: Artifact) -> list[str]:
    return sorted(read_description(dataset)["contributors"])
