"""What MLflow shows of a run beside its trainings: its model, the attribution, the report, and how it ended."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import TrackingError
from tribute.pipeline.runs.runs import best
from tribute.workspace import Workspace

MOST = 100
"""Contributors whose credit is a metric of its own; all of them are in `shares.parquet`."""


def register(
    workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]
) -> dict[str, Any]:
    """The place of the best seed's adapter in the model registry: name, version and whether it is champion."""
    from tribute.finetuning.tracking import Tracker

    return asdict(Tracker(workspace.mlflow).register(dataset, best(adapters), config.finetuning))


def track_attribution(workspace: Workspace, config: RunConfig, dataset: Artifact, attribution: Artifact) -> None:
    """Credits, shares and the card's figures as metrics of the run. Raises TrackingError."""
    from tribute.finetuning.tracking import Subject, Tracker

    lines = pq.read_table(attribution.file("shares.parquet")).to_pylist()
    largest = sorted(lines, key=lambda line: -abs(line["credit"]))[:MOST]
    figures = {
        **{name: {line["contributor_id"]: line[name] for line in largest} for name in ("credit", "share")},
        "card": attribution.json("card.json"),
    }
    tags, files = {"tribute.attribution": attribution.id}, [attribution.file("card.json")]
    Tracker(workspace.mlflow).log_results(
        Subject(config.id, dataset, config.finetuning), figures, tags, [*files, attribution.file("shares.parquet")]
    )


def track_report(workspace: Workspace, config: RunConfig, dataset: Artifact, report: Path) -> None:
    """The report as an artifact of the run, and which period was drafted by it. Raises TrackingError."""
    from tribute.finetuning.tracking import Subject, Tracker

    tags = {} if config.rewards is None else {"tribute.period": config.rewards.period}
    Tracker(workspace.mlflow).log_results(Subject(config.id, dataset, config.finetuning), {}, tags, [report])


def track_end(workspace: Workspace, config: RunConfig, status: str) -> None:
    """Say in MLflow that the run has ended: FINISHED, FAILED or KILLED. What MLflow cannot take is left."""
    from tribute.finetuning.tracking import Tracker

    with suppress(TrackingError):
        Tracker(workspace.mlflow).end(config.dataset.name, config.id, status)
