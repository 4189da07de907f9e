"""From a served model back to the run that made it: what explaining its answers takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.measurement import recorded_measurements
from tribute.config import RunConfig, load_config
from tribute.errors import ServiceError
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.workspace import Workspace

STAND_IN = "probe"
"""The kind of a stand-in's artifact."""


@dataclass(frozen=True)
class ServedRun:
    """A finished run, and the adapter of it that was served."""

    config: RunConfig
    dataset: Artifact
    adapter: Artifact
    attribution: Artifact
    stand_in: Artifact

    @cached_property
    def reach(self) -> Mapping[str, float]:
        """Contributor → half width of the credit's interval on the evaluation, by absolute credit of their rows."""
        shares = pd.read_parquet(self.attribution.file("shares.parquet")).set_index("contributor_id")
        scores = pd.read_parquet(self.attribution.file("scores.parquet"), columns=["contributor_id", "credit"])
        sizes = scores["credit"].abs().groupby(scores["contributor_id"]).sum()
        half = np.maximum(shares["high"] - shares["credit"], shares["credit"] - shares["low"])
        return {name: float(half[name] / size) for name, size in sizes.items() if size > 0 and name in half.index}


def served_run(workspace: Workspace, adapter: str) -> ServedRun:
    """The run that made an adapter. Raises ServiceError 404 where there is none with a stand-in."""
    for run_id in all_runs(workspace):
        record, store = read_run(workspace, run_id), workspace.store
        if adapter not in record["adapters"].values():
            continue
        attribution = store.get("attribution", record["attribution"])
        stand_ins = [id_ for kind, id_ in recorded_measurements(attribution).values() if kind == STAND_IN]
        if stand_ins:
            return ServedRun(
                load_config(workspace.runs / run_id / "config.yaml"),
                store.get("dataset", record["dataset"]),
                store.get("adapter", adapter),
                attribution,
                store.get(STAND_IN, stand_ins[0]),
            )
    raise ServiceError(f"adapter {adapter[:12]}: no finished run has it with a stand-in, so nothing explains it", 404)
