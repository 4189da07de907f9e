"""The allocation recomputed from what a period was made from: evidence, shares, card and usage of the workspace.

One step further, from the model to the evidence, is `pipeline/verification/remeasure.py`: it needs the trainings.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from tribute import months
from tribute.artifacts import Artifact, Store, verify_artifact
from tribute.digests import file_sha256
from tribute.errors import IntegrityError
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.allocation_table import allocation_rows, exclusion_rows
from tribute.rewards.allocation.funding import divide_again
from tribute.rewards.allocation.inputs import read_sources
from tribute.rewards.allocation.pools import allocate_period
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.tables import USAGE_FILE
from tribute.rewards.usage.sealed_usage import COPY


def verify_deep(folder: Path, store: Store) -> list[str]:
    """Allocate again from the artifacts that the manifest names. Raises IntegrityError for the first difference."""
    read = PeriodFolder(folder)
    inputs = read.artifact.inputs
    dataset, attribution = (store.get(kind, inputs[kind]) for kind in ("dataset", "attribution"))
    for artifact in (dataset, attribution):
        verify_artifact(artifact.path)
    return [*_check_sources(read, attribution), _check_allocation(read, dataset, attribution)]


def _check_sources(read: PeriodFolder, attribution: Artifact) -> list[str]:
    if file_sha256(read.path / "card.json") != file_sha256(attribution.file("card.json")):
        raise read.wrong("card.json", f"not the card of attribution {attribution.id[:12]}")
    usage = read.path / USAGE_FILE
    if "usage" in read.artifact.inputs and file_sha256(usage) != read.artifact.inputs["usage"]:
        raise read.wrong(USAGE_FILE, "not the usage that the period was made from")
    checks = [f"the card is that of attribution {attribution.id[:12]}, which is intact"]
    if sealed := read.sealed:
        sealed.check(read.period)
        if sealed.record != read.config["usage"]:
            raise read.wrong(COPY, f"not the seal of {sealed.folder}")
        names = " and ".join(folder.name for folder in sealed.folders)
        checks.append(f"the usage is that of {names}, as it was sealed")
    return checks


def _check_allocation(read: PeriodFolder, dataset: Artifact, attribution: Artifact) -> str:
    sources = replace(read_sources(dataset, attribution), payees=read.payees)
    evidence = evidences.build_evidence(sources, period=read.period, adapters=read.adapters)
    if not _plain(evidence).equals(_plain(read.evidence)):
        raise read.wrong("evidence.parquet", f"not the scores of attribution {attribution.id[:12]}")
    fundings = divide_again(read.fundings, read.policy, read.period)
    allocation = allocate_period(sources, read.policy, read.period, fundings, read.usage_source)
    if allocation_rows(read.period, allocation.pools, evidence) != read.allocation:
        raise read.wrong("allocation.csv", "not what shares, evidence and policy allocate")
    if any(pool.by_payers for pool in read.policy.pools.values()) and allocation.payers != read.payers:
        raise read.wrong("payers.csv", "not what scores, usage and policy say")
    exclusions = exclusion_rows(sources.exclusions, decided_at=months.last_day(read.period))
    if exclusions != read.exclusions:
        raise IntegrityError(f"{read.path / 'exclusions.csv'}: not the rows that the dataset version left out")
    return f"{len(read.allocation)} lines are allocated again, to the unit, from {dataset.id[:12]} and its evidence"


def _plain(evidence: Any) -> Any:
    """Texts instead of dictionaries, whose order is nobody's business."""
    texts = [name for name in evidence.column_names if name != "score"]
    return pa.table({name: evidence[name].cast(pa.string()) for name in texts} | {"score": evidence["score"]})
