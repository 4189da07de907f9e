"""A run's figures as plain numbers, for tools that compare numbers; no ids, no names of files."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from tribute.artifacts import Artifact

FIGURES = ("loss", "accuracy")


def training_metrics(adapters: Mapping[int, Artifact]) -> dict[str, Any]:
    """Loss (nats) before and after, and accuracy where the task has one, per seed, and their means over the seeds."""
    seeds = {f"seed_{seed}": _evaluation(adapter) for seed, adapter in adapters.items()}
    names = next(iter(seeds.values())).keys()
    return {"mean": {name: sum(each[name] for each in seeds.values()) / len(seeds) for name in names}} | seeds


def training_curve(adapters: Mapping[int, Artifact]) -> list[dict[str, Any]]:
    """The training loss (nats) of every step that all seeds took, a mean over them: plots draw one line per file."""
    curves = [adapter.json("curve.json")["training"] for adapter in adapters.values()]
    return [
        {"step": points[0]["step"], "loss": fmean(point["loss"] for point in points)}
        for points in zip(*curves, strict=False)
    ]


def attribution_metrics(attribution: Artifact) -> dict[str, Any]:
    """Every number of the attribution card, in the card's own nesting, and the contributors' shares."""
    import pandas as pd

    shares = pd.read_parquet(attribution.file("shares.parquet"))
    by_contributor = {str(share.contributor_id): float(share.share) for share in shares.itertuples()}
    return {"card": _numbers(attribution.json("card.json")), "share": by_contributor}


def _evaluation(adapter: Artifact) -> dict[str, float]:
    evaluation = adapter.json("evaluation.json")
    figures = {name: float(evaluation[name]) for name in FIGURES if evaluation.get(name) is not None}
    return {"loss_before": float(evaluation["before"]["loss"])} | figures


def _numbers(node: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers below a node; what has none is left out."""
    numbers: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = value
        elif isinstance(value, Mapping) and (below := _numbers(value)):
            numbers[name] = below
    return numbers
