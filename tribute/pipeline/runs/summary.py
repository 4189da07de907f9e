"""What a run led to, in a few lines of Markdown for pages that are not Tribute's own."""

import os
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tribute.artifacts import Artifact
from tribute.attribution.measurement import seed_of
from tribute.config import RunConfig
from tribute.pipeline.runs.runs import read_run
from tribute.workspace import Workspace

ADDRESS = "TRIBUTE_REPORTS_URL"
"""Where the workspace's folder of reports is served, if it is."""
MOST = 20
"""Contributors in a table; the others are counted."""


def training_line(adapter: Artifact) -> str:
    """What one training came to: losses in nats, and whether the adapter was there already."""
    evaluation = adapter.json("evaluation.json")
    how = "found" if adapter.found else f"trained in {float(adapter.provenance.get('seconds', 0)):.0f} s"
    return f"seed {seed_of(adapter)}: loss {evaluation['before']['loss']:.4f} → {evaluation['loss']:.4f}, {how}"


def attribution_page(config: RunConfig, adapters: Sequence[Artifact], attribution: Artifact) -> str:
    """Trainings, shares and the attribution card as Markdown."""
    return "\n".join(
        [
            f"# {config.run}, {config.dataset.tag}",
            "",
            *(f"- {training_line(adapter)}" for adapter in adapters),
            "",
            *_shares(attribution, config.attribution.confidence),
            "",
            *_card(attribution),
        ]
    )


def run_page(workspace: Workspace, config: RunConfig, run_id: str) -> str:
    """A run's trainings, shares, card, verdict and report as Markdown."""
    record, store = read_run(workspace, run_id), workspace.store
    adapters = [store.get("adapter", id_) for id_ in record["adapters"].values()]
    page = attribution_page(config, adapters, store.get("attribution", record["attribution"]))
    period = record["period"]
    paid = [] if period is None else ["", period_page(workspace, period)]
    return "\n".join([page, *paid, "", report_link(workspace, workspace.report_of(run_id, period))])


def period_page(workspace: Workspace, period: str) -> str:
    """By what a period is paid, and which checks of the gate say so, as Markdown."""
    from tribute.rewards.allocation import read_verdict

    verdict = read_verdict(workspace.rewards / period)
    rows = [
        f"| {check.name} | {check.found} | {check.needed} | {'passed' if check.passed else '**failed**'} |"
        for check in verdict.checks
    ]
    table = ["", "| check | found | needed | |", "|---|---|---|---|", *rows] if rows else []
    return "\n".join(["", f"## Paid for {period} by {verdict.words}", *table])


def failed_checks(workspace: Workspace, period: str) -> list[str]:
    """What the gate found amiss in a period's attribution card, a line per check: found, and needed."""
    from tribute.rewards.allocation import read_verdict

    checks = read_verdict(workspace.rewards / period).checks
    return [f"{check.name}: found {check.found}, needed {check.needed}" for check in checks if not check.passed]


def report_link(workspace: Workspace, report: Path) -> str:
    """A link to a report where the workspace's folder of reports is served, else the report's path."""
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if address:
        return f"[Report]({address}/{quote(report.relative_to(workspace.reports).as_posix())})"
    return f"Report on the worker: `{report.relative_to(workspace.root).as_posix()}` in the workspace"


def _shares(attribution: Artifact, confidence: float) -> list[str]:
    import pandas as pd

    shares = pd.read_parquet(attribution.file("shares.parquet")).sort_values("credit", ascending=False)
    rows = [
        f"| {share.contributor_id} | {share.share:.2%} | {share.credit:+.4f} | {_interval(share)} |"
        for share in shares.head(MOST).itertuples()
    ]
    rest = [f"\n{len(shares) - MOST} contributors more."] if len(shares) > MOST else []
    head = f"| contributor | share | credit (nats) | {confidence:.0%} interval |"
    return ["## Shares", "", head, "|---|--:|--:|--:|", *rows, *rest]


def _interval(share: Any) -> str:
    return f"{share.low:+.4f} to {share.high:+.4f}" if isfinite(share.low) else "too few rows"


def _card(attribution: Artifact) -> list[str]:
    from tribute.rewards.allocation import figures, made_by

    card = attribution.json("card.json")
    rows = [f"| {figure.name} | {figure.found} | {figure.best} |" for figure in figures(card)]
    return ["## Attribution card", "", made_by(card), "", "| figure | found | best |", "|---|---|---|", *rows]
