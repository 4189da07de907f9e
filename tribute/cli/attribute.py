"""Attribute the trained adapters' improvement to rows and contributors, without Prefect."""

from math import isnan
from typing import Any, TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, DryRun, MetricsFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import Plan, would


class Share(TypedDict):
    contributor: str
    credit: float
    low: float | None
    high: float | None
    share: float


class Attributed(TypedDict):
    attribution: str
    shares: list[Share]


@command
def attribute(
    config: ConfigFile,
    set_: Overrides = None,
    workspace: WorkspaceFolder = HERE,
    metrics: MetricsFile = None,
    dry_run: DryRun = False,
) -> Output[Attributed | Plan]:
    import pandas as pd

    from tribute.cli._workers import run_each
    from tribute.files import write_json
    from tribute.pipeline.launch.preflight import checked_config
    from tribute.pipeline.planning.full_memory import compared_with_plan
    from tribute.pipeline.runs.metrics import attribution_metrics
    from tribute.pipeline.stages import measuring
    from tribute.pipeline.stages.learned import found_dataset
    from tribute.pipeline.stages.tracked import track_attribution
    from tribute.pipeline.stages.training import find_adapters
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    dataset = found_dataset(home, run.dataset.tag, run.finetuning.base)
    adapters = find_adapters(home, run, dataset)
    if dry_run:
        return would(f"attribute {len(adapters)} adapters on {run.dataset.tag}")
    trained = measuring.open_run(home, run, dataset, adapters)
    with compared_with_plan(run, dataset):
        measurements = measuring.measure_all(
            trained, lambda measure, work: run_each(measure, work, run.execution.processes)
        )
    attribution = measuring.combine(trained, measurements)
    if metrics is not None:
        write_json(metrics, attribution_metrics(attribution))
    track_attribution(home, run, dataset, attribution)
    shares = pd.read_parquet(attribution.file("shares.parquet")).sort_values("credit", ascending=False)
    rows = [
        (share.contributor_id, f"{share.credit:+.4f}", _interval(share.low, share.high), f"{share.share:.2%}")
        for share in shares.itertuples()
    ]
    columns = ("contributor", "credit (nats)", f"{run.attribution.confidence:.0%} interval", "share")
    table = Table("Shares", columns, rows, right=columns[1:])
    records: list[Share] = [
        {
            "contributor": share.contributor_id,
            "credit": float(share.credit),
            "low": None if isnan(share.low) else float(share.low),
            "high": None if isnan(share.high) else float(share.high),
            "share": float(share.share),
        }
        for share in shares.itertuples()
    ]
    return Output({"attribution": attribution.id, "shares": records}, _doubts(attribution.json("card.json")), [table])


def _doubts(card: dict[str, Any]) -> list[str]:
    """What to know before the shares are used."""
    stand_in = card["stand_in"]
    lines = []
    if stand_in and not stand_in["weight"]:
        lines.append(
            f"the {stand_in['name']} that stands in for the model gained {stand_in['gained']:.4f} of "
            f"{stand_in['wanted']:.4f} nats, less than half: the shares rest on in-run credit alone, which can be far "
            "from what retraining says; set attribution.budget to correct them"
        )
    if not card["told_from_content"]["names"]:
        lines.append("no share can be told from a division by distinct content: more rows or more seeds are needed")
    return lines


def _interval(low: float, high: float) -> str:
    return "too few rows" if isnan(low) else f"{low:+.4f} … {high:+.4f}"
