"""Each stage of a run as one function: find its artifact or make it.

Commands, Prefect tasks and `dvc repro` all call these, so a result never depends on who asked. Sits above
the columns.
"""

from tribute.stages.answers import explained, indexed, picking
from tribute.stages.evidence import (
    beside,
    checks,
    evidence,
    found_attribution,
    found_evidence,
    gathered,
    job_of,
    probing,
    proposed,
)
from tribute.stages.outcome import attributed, mlflow_runs, recorded, registered, rewarded
from tribute.stages.releases import (
    forget_tables,
    found_dataset,
    is_released,
    materialised,
    refuse_source,
    release,
    take_in,
)
from tribute.stages.work import (
    baselines,
    credited,
    found_adapters,
    influenced,
    planted,
    probed,
    retrained,
    retrained_in_full,
    trained,
)

__all__ = [
    "attributed",
    "baselines",
    "beside",
    "checks",
    "credited",
    "evidence",
    "explained",
    "forget_tables",
    "found_adapters",
    "found_attribution",
    "found_dataset",
    "found_evidence",
    "gathered",
    "indexed",
    "influenced",
    "is_released",
    "job_of",
    "materialised",
    "mlflow_runs",
    "picking",
    "planted",
    "probed",
    "probing",
    "proposed",
    "recorded",
    "refuse_source",
    "registered",
    "release",
    "retrained",
    "retrained_in_full",
    "rewarded",
    "take_in",
    "trained",
]
