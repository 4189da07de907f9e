"""From the model back to the evidence: the credits of a period's adapters measured once more, and combined anew.

Walks the recorded training of every adapter again and holds what comes out against what the period was paid by.
On the machine that made them the bytes are the same; on another, floating point may differ in its last digits, and
the largest difference is told. Sits above the columns.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tribute.artifacts import Artifact, Store, read_artifact
from tribute.config import RunConfig, load_config
from tribute.errors import IntegrityError
from tribute.pipeline import measuring
from tribute.pipeline.recheck import run_of
from tribute.pipeline.runs import read_run
from tribute.progress import reporter
from tribute.workspace import Workspace

TOLERANCE = 1e-4
"""How far a credit may differ, relative to the largest: float32 on another machine stays far below."""


def reattribute(workspace: Workspace, period: str) -> list[str]:
    """Measure and combine again; a sentence a check. Raises IntegrityError where the evidence is not of this model."""
    run_id = run_of(workspace, period)
    run, config = read_run(workspace, run_id), load_config(workspace.runs / run_id / "config.yaml")
    store, inputs = workspace.store, read_artifact(workspace.rewards / period).inputs
    dataset, attribution = (store.get(kind, inputs[kind]) for kind in ("dataset", "attribution"))
    adapters = [store.get("adapter", id_) for id_ in run["adapters"].values()]
    workspace.scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="deep-", dir=workspace.scratch))
    try:
        return _compared(workspace, config, dataset, adapters, attribution, Store(folder))
    finally:
        shutil.rmtree(folder)


def _compared(
    workspace: Workspace,
    config: RunConfig,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    attribution: Artifact,
    anew: Store,
) -> list[str]:
    from tribute.attribution import combine
    from tribute.attribution.credit import inrun_artifact, probe_artifact

    arguments = (config.attribution, config.finetuning, workspace.scratch)
    credited = [
        inrun_artifact.make_credit(anew, dataset, adapter, *arguments, reporter(f"verify, adapter {place}"))
        for place, adapter in enumerate(adapters, start=1)
    ]
    kept = [attribution.inputs[f"credit-{place}"] for place in range(len(adapters))]
    checks = [
        f"the walk through adapter {adapter.id[:12]} gives the credits that were paid, "
        + _difference(again.file("scores.parquet"), workspace.store.get("credit", id_).file("scores.parquet"))
        for adapter, again, id_ in zip(adapters, credited, kept, strict=True)
    ]
    evidence = measuring.found_evidence(workspace, config, dataset, adapters)
    probed = [
        probe_artifact.make_probe(
            anew, dataset, adapters, config.finetuning, workspace.scratch, reporter("verify, probe")
        )
        for _ in evidence.probes
    ]
    again = replace(evidence, credits=credited, probes=probed)
    combined = combine.make_attribution(anew, again, config.attribution)
    difference = _difference(combined.file("scores.parquet"), attribution.file("scores.parquet"))
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
