"""From the model back to the evidence: the credits of a period's adapters measured once more, and combined anew.

Walks the recorded training of every adapter again and holds what comes out against what the period was paid by.
On the machine that made them the bytes are the same; on another, floating point may differ in its last digits, and
the largest difference is told. Sits above the columns.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tribute.artifacts import Artifact, Store, read_artifact, read_erased
from tribute.attribution.measurement import Run
from tribute.config import load_config
from tribute.errors import IntegrityError
from tribute.pipeline.runs.runs import read_run
from tribute.pipeline.stages.measuring import find_recorded, measure, open_run
from tribute.pipeline.verification.recheck import run_of
from tribute.workspace import Workspace

TOLERANCE = 1e-4
"""How far a credit may differ, relative to the largest: float32 on another machine stays far below."""


def remeasure(workspace: Workspace, period: str) -> list[str]:
    """Measure and combine again; a sentence per check. Raises IntegrityError where the evidence is not this model's."""
    run_id = run_of(workspace, period)
    record, config = read_run(workspace, run_id), load_config(workspace.runs / run_id / "config.yaml")
    store, inputs = workspace.store, read_artifact(workspace.rewards / period).inputs
    dataset, attribution = (store.get(kind, inputs[kind]) for kind in ("dataset", "attribution"))
    if erased := read_erased(dataset.path).contributions:
        return [f"not measured again: the rows of {', '.join(erased)} were erased"]
    adapters = [store.get("adapter", id_) for id_ in record["adapters"].values()]
    workspace.scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="deep-", dir=workspace.scratch))
    try:
        return _compare(open_run(workspace, config, dataset, adapters), attribution, Store(folder))
    finally:
        shutil.rmtree(folder)


def _compare(run: Run, attribution: Artifact, again: Store) -> list[str]:
    """What credits are made from is measured into the store `again`, but for trainings."""
    from tribute.attribution.combine import make_attribution
    from tribute.attribution.credit import check_clusters
    from tribute.attribution.plan import measurement_of

    fresh, recorded = replace(run, store=again), find_recorded(run, attribution)
    measured = {
        work: measure(fresh, work) if measurement_of(work).is_paid_by else artifact
        for work, artifact in recorded.measured.items()
    }
    combined = replace(recorded, measured=measured, clustered=next(iter(recorded.probes), None))
    for paid_by, stand_in in zip(recorded.probes, combined.probes, strict=True):
        check_clusters(paid_by, stand_in)
    checks = []
    for adapter, credit, paid in zip(run.adapters, combined.credits, recorded.credits, strict=True):
        difference = _difference(credit.file("scores.parquet"), paid.file("scores.parquet"))
        checks.append(f"the walk through adapter {adapter.id[:12]} gives the credits that were paid, {difference}")
    scores = make_attribution(again, combined, run.config.attribution).file("scores.parquet")
    difference = _difference(scores, attribution.file("scores.parquet"))
    return [*checks, f"combined anew they are the evidence's scores, {difference}"]


def _difference(found: Path, expected: Path) -> str:
    if found.read_bytes() == expected.read_bytes():
        return "byte for byte"
    new, old = (pq.read_table(path) for path in (found, expected))
    names = ["row_id", "contributor_id", "query"]
    if not new.select(names).equals(old.select(names)):
        raise IntegrityError(f"{expected}: holds other rows than the adapter was trained on; attribute again")
    off: Any = pc.max(pc.abs(pc.subtract(new["credit"], old["credit"]))).as_py()
    most: Any = pc.max(pc.abs(old["credit"])).as_py()
    if not off <= TOLERANCE * most:
        raise IntegrityError(f"{expected}: differs by {off:.3g} nats from what the model says; attribute again")
    return f"within {off:.1g} nats of credits up to {most:.1g}"
