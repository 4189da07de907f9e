"""Attribute the trained adapters' improvement to rows and contributors, without Prefect."""

from typing import TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, DryRun, MetricsFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import Plan, would


class Share(TypedDict):
    contributor: str
    credit: float
    low: float
    high: float
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
    from tribute.pipeline.runs.metrics import attribution_metrics
    from tribute.pipeline.stages import measuring, results
    from tribute.pipeline.stages.data import found_dataset
    from tribute.pipeline.stages.tracked import track_attribution
    from tribute.pipeline.stages.training import find_adapters
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    dataset = found_dataset(home, run.dataset.tag, run.finetuning.base)
    adapters = find_adapters(home, run, dataset)
    if dry_run:
        return would(f"attribute {len(adapters)} adapters on {run.dataset.tag}")
    trained = measuring.open_run(home, run, dataset, adapters)
    measurements = measuring.measure_all(trained, lambda measure, work: run_each(measure, work, run))
    attribution = results.combine(trained, measurements)
    if metrics is not None:
        write_json(metrics, attribution_metrics(attribution))
    track_attribution(home, run, dataset, attribution)
    shares = pd.read_parquet(attribution.file("shares.parquet")).sort_values("credit", ascending=False)
    rows = [
        (share.contributor_id, f"{share.credit:+.4f}", f"{share.low:+.4f} … {share.high:+.4f}", f"{share.share:.2%}")
        for share in shares.itertuples()
    ]
    columns = ("contributor", "credit (nats)", f"{run.attribution.confidence:.0%} interval", "share")
    table = Table("Shares", columns, rows, right=columns[1:])
    records: list[Share] = [
        {
            "contributor": share.contributor_id,
            "credit": float(share.credit),
            "low": float(share.low),
            "high": float(share.high),
            "share": float(share.share),
        }
        for share in shares.itertuples()
    ]
    return Output({"attribution": attribution.id, "shares": records}, tables=[table])
