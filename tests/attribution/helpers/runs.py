"""Runs and measurements put together by hand from the artifacts that a test has made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, Store
from tribute.attribution.measurement import Run, Work
from tribute.attribution.plan import CONTROLS, EFFECTS, INRUN, RETRAINING, STAND_IN
from tribute.attribution.shares.measured import Measurements
from tribute.config import AttributionConfig, FinetuningConfig, RunConfig
from tribute.finetuning.workers import Folders

CONFIG = AttributionConfig(sample=12, validation="off")
KINDS = {"credits": INRUN, "controls": CONTROLS, "influences": EFFECTS, "probes": STAND_IN, "retrainings": RETRAINING}


def run_of(
    root: Path,
    dataset: Artifact,
    adapters: Sequence[Artifact],
    finetuning: FinetuningConfig,
    attribution: AttributionConfig = CONFIG,
) -> Run:
    """A run in the workspace `root`; of its config only these parts are there."""
    config = RunConfig.model_construct(finetuning=finetuning, attribution=attribution)
    return Run(Store(root), dataset, adapters, config, root / "scratch")


def measurements(dataset: Artifact, adapters: Sequence[Artifact], **kinds: Any) -> Measurements:
    """What was measured: `credits`, `controls`, `influences` and `probes` are lists, `retrainings` are by job."""
    return with_others(Measurements(dataset, adapters, {}), **kinds)


def with_others(found: Measurements, **kinds: Sequence[Artifact] | Mapping[Any, Artifact]) -> Measurements:
    """The same with others of the kinds that are named."""
    kept: dict[Work, Artifact] = dict(found.measured)
    for name, artifacts in kinds.items():
        kind = KINDS[name]
        kept = {work: artifact for work, artifact in kept.items() if work.kind != kind.kind.name}
        named = artifacts if isinstance(artifacts, Mapping) else dict(enumerate(artifacts))
        kept |= {kind.work(item): artifact for item, artifact in named.items()}
    return replace(found, measured=kept)


def folders_in(root: Path, result: Path) -> Folders:
    """Where a job writes that is called in this process."""
    return Folders(result, root / "scratch", root / "own")
